import path from 'node:path';

import { z } from 'zod';

import { KiwiError } from '../../src/core/errors.ts';
import { parseStrictJson } from '../../src/core/strict-json.ts';
import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';

export interface AppleKeys {
  /** PEM: the key and the certificate "Developer ID Application", and those above it; for programs and applications. */
  readonly application: string;
  /** The same for "Developer ID Installer"; for packages. */
  readonly installer: string;
  /** A time-stamp authority; Apple's is needed for notarisation. */
  readonly timestampUrl: string | undefined;
}

/** A Python with apple-platform-py in it, which has the code of apple-codesign. */
export interface AppleTool {
  readonly python: string;
}

const MAX_ANSWER = 1 << 20;
const SCRIPT = path.join(import.meta.dirname, 'apple-code.py');
const seen = z.strictObject({ signer: z.string().max(1000).nullable(), faults: z.array(z.string().max(1000)) });

/**
 * Signs a program, an application or a package in its place, and verifies it: programs with the hardened runtime.
 * @param what its `entitlements` name a file of `entitlements/`: what the hardened runtime allows it all the same
 * @returns what vouches for it now, in words
 * @throws KiwiError `program-failed`; `file-unusable` when what was signed does not verify
 */
export async function signApple(
  tool: AppleTool,
  keys: AppleKeys,
  what: { readonly path: string; readonly entitlements: 'window' | 'node' | 'token-host' | 'none' },
): Promise<string> {
  const isPackage = what.path.endsWith('.pkg');
  await ask(tool, {
    do: 'sign',
    path: what.path,
    key: isPackage ? keys.installer : keys.application,
    identifier: `io.kiwistack.enroll.${path.basename(what.path, '.node')}`,
    entitlements:
      what.entitlements === 'none'
        ? null
        : path.join(import.meta.dirname, 'entitlements', `${what.entitlements}.plist`),
    timestamp: keys.timestampUrl ?? null,
  });
  const signer = await verifyApple(tool, what.path);
  const stamped = keys.timestampUrl === undefined ? 'without a time stamp' : 'with a time stamp';
  return `signed by ${signer}, ${stamped}, not notarised`;
}

/** @returns who signed it @throws KiwiError `file-unusable` when it is not signed, or was changed since */
export async function verifyApple(tool: AppleTool, file: string): Promise<string> {
  const { signer, faults } = seen.parse(await ask(tool, { do: 'look', path: file }));
  if (signer !== null && faults.length === 0) return signer;
  throw new KiwiError('file-unusable', { detail: `${file}: ${faults.slice(0, 3).join('; ') || 'it is not signed'}` });
}

async function ask({ python }: AppleTool, request: object): Promise<unknown> {
  const input = Buffer.from(JSON.stringify(request));
  const args = ['-I', SCRIPT];
  const { stdout } = await runChecked({ program: python, args, env: MINIMAL_ENVIRONMENT, input, timeoutMs: 600_000 });
  return parseStrictJson(stdout, MAX_ANSWER);
}
