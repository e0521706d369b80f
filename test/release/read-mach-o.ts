import path from 'node:path';

import { run } from './run-dist.ts';

/** A program or library of one processor, as other programs read it. */
export interface Program {
  readonly processor: string;
  readonly kind: string;
  readonly name: string | null;
  readonly libraries: readonly string[];
  /** Where it has libraries looked for. */
  readonly searchPaths: readonly string[];
  /** The oldest macOS that it is for. */
  readonly oldest: string | null;
  readonly exports: readonly string[];
  /** Symbols by the library that they are looked up in; `flat`: in all that are loaded, `self`: also in it. */
  readonly bound: Readonly<Record<string, readonly string[]>>;
  readonly signature: {
    readonly flags: string | null;
    readonly slots: readonly string[];
    readonly entitlements: Readonly<Record<string, unknown>>;
  };
}

/** @param python one with LIEF and apple-platform-py in it */
export async function readMachO(python: string, file: string): Promise<readonly Program[]> {
  const { stdout } = await run(python, [path.join(import.meta.dirname, 'read-mach-o.py'), file], {
    maxBuffer: 64 << 20,
  });
  return JSON.parse(stdout) as readonly Program[];
}
