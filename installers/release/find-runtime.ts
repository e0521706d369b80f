import { realpath } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import { systemErrorCode } from '../../src/core/system-error-code.ts';

export type System = 'linux' | 'windows' | 'macos';
export const SYSTEMS: readonly System[] = ['linux', 'windows', 'macos'];

/** As Electron names its archives. */
const NAMES: Readonly<Record<System, string>> = {
  linux: 'linux-x64',
  windows: 'win32-x64',
  macos: 'darwin-arm64',
};

export interface Runtime {
  readonly system: System;
  /** An unpacked archive of Electron. */
  readonly folder: string;
  readonly version: string;
}

/**
 * Finds the Electron that the window of a system is packed with.
 *
 * @param folder has an unpacked archive of Electron for each system
 * @returns undefined where there is none
 * @throws KiwiError `file-unusable` when what is there is no archive of Electron
 */
export async function findRuntime(folder: string, system: System): Promise<Runtime | undefined> {
  const place = path.join(folder, NAMES[system]);
  const file = path.join(place, 'version');
  const text = await readCappedFile(file, { maxBytes: 64 }).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const version = /^v?(\d+\.\d+\.\d+)\s*$/u.exec(text.toString('latin1'))?.[1];
  if (version === undefined) throw new KiwiError('file-unusable', { detail: `${file} has no version of Electron` });
  // electron-builder would copy a link, and not what it leads to.
  return { system, folder: await realpath(place), version };
}

/** Where the one for a system is expected, for messages. */
export function runtimeName(system: System): string {
  return NAMES[system];
}
