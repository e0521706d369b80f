import { existsSync } from 'node:fs';
import path from 'node:path';

interface Here {
  readonly platform: NodeJS.Platform;
  /** The Node that runs us. */
  readonly executable: string;
  exists(file: string): boolean;
}

/** Beside Node in the package for macOS: the same Node, signed so that it may load a library of Yubico's. */
const ON_MACOS = 'kiwistack-token-host';

/**
 * The Node that the token host runs on: our own. In the package for macOS it is one beside it, because a program with the hardened runtime loads only what its
 * own makers or Apple have signed, unless it is signed as one that loads others', which no program of ours is but this.
 */
export function hostProgram(
  here: Here = { platform: process.platform, executable: process.execPath, exists: existsSync },
): string {
  if (here.platform !== 'darwin') return here.executable;
  const own = path.posix.join(path.posix.dirname(here.executable), ON_MACOS);
  return here.exists(own) ? own : here.executable;
}
