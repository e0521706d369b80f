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
    return addon();
  } catch {
    return NOT_BUILT;
  }
}

/**
 * For a process that is about to load a library of somebody else's. Windows looks for what that library needs in the current folder and in PATH, where anybody
 * may have put a file of that name; after this call, which nothing undoes, only in the folder given and in its own. Other systems never look there.
 *
 * @returns false when this is Windows and it could not be done: then nothing may be loaded
 */
export function confineLibraries(folder: string): boolean {
  if (process.platform !== 'win32') return true;
  try {
    return addon().confineLibraries(folder);
  } catch {
    return false;
  }
}

interface Addon extends LockedMemory {
  /** On Windows only. */
  confineLibraries(folder: string): boolean;
}

const addon = (): Addon => createRequire(import.meta.url)('./build/Release/locked_memory.node') as Addon;

const NOT_BUILT: LockedMemory = {
  lock: () => false,
  wipe: (buffer) => void buffer.fill(0),
  disableDumps: () => false,
};

/** True when the addon was built. */
export function isLockedMemoryBuilt(): boolean {
  return loadLockedMemory() !== NOT_BUILT;
}
