import { createRequire } from 'node:module';

/** What the operating system does for a process that holds a secret. Every call is best effort: see README.md. */
export interface LockedMemory {
  /** Keeps the buffer's pages out of swap until the process ends. @returns false when the system refuses (RLIMIT_MEMLOCK) */
  lock(buffer: Buffer): boolean;
  /** Overwrites the buffer with zeros. */
  wipe(buffer: Buffer): void;
  /** No core file of this process from now on; on Linux no debugger of the same user either. @returns false when refused */
  disableDumps(): boolean;
}

/** The addon; where it was not built, a stand-in that wipes, and locks nothing. */
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
