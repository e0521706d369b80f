import { createRequire } from 'node:module';

/** Protects a process that holds a secret, as far as the operating system can. Every call is best effort: see README.md. */
export interface LockedMemory {
  /** Keeps the buffer's pages out of swap until the process ends. @returns false when the system refuses (RLIMIT_MEMLOCK) */
  lock(buffer: Buffer): boolean;
  /** Overwrites the buffer with zeros. */
  wipe(buffer: Buffer): void;
  /** Disables core files of this process and, on Linux, debuggers of the same user. @returns false when refused */
  disableDumps(): boolean;
}

/** Loads the addon; if it was not built, a substitute that wipes but does not lock. */
export function loadLockedMemory(): LockedMemory {
  try {
    return createRequire(import.meta.url)('./build/Release/locked_memory.node') as LockedMemory;
  } catch {
    return NOT_BUILT;
  }
}

const NOT_BUILT: LockedMemory = {
  lock: () => false,
  wipe: (buffer) => void buffer.fill(0),
  disableDumps: () => false,
};

/** True when the addon was built. */
export function isLockedMemoryBuilt(): boolean {
  return loadLockedMemory() !== NOT_BUILT;
}
