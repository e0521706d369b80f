import type { AppleKeys, AppleTool } from '../macos/sign-code.ts';
import type { CodeKey } from '../windows/sign-code.ts';

/** What the packages of a release are made of. */
export interface Making {
  /** An existing folder. */
  readonly out: string;
  readonly version: string;
  /** PEM file with the provider's roots, to be pinned. */
  readonly mspRoots: string | undefined;
  /** PEM file with the public keys of the provider's releases, to be pinned. */
  readonly releaseKeys: string | undefined;
  /** The folder with unpacked archives of Electron. */
  readonly runtimes: string;
  /** The version of Electron that package.json names. */
  readonly declaredElectron: string;
  readonly epochSeconds: number;
  readonly windows: WindowsParts;
  readonly macos: MacParts;
}

export interface WindowsParts {
  /** node.exe, which has its makers' signature. */
  readonly node: string;
  /** None: nothing is signed. */
  readonly key: CodeKey | undefined;
}

export interface MacParts extends AppleTool {
  /** A folder with what is compiled for macOS: installers/build/macos.ts says what. */
  readonly programs: string;
  /** The program of Zig, a compiler of C and C++ for macOS. */
  readonly zig: string;
  /** None: nothing is signed. */
  readonly keys: AppleKeys | undefined;
}
