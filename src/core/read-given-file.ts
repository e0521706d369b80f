import { realpath } from 'node:fs/promises';

import { KiwiError } from './errors.ts';
import { readCappedFile } from './read-capped-file.ts';
import { systemErrorCode } from './system-error-code.ts';

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a folder',
};

/**
 * Reads a file that a person named, and may be a link: certbot's are.
 *
 * @param option what it was named with, for the message
 * @throws KiwiError `file-unusable`
 */
export async function readGivenFile(file: string, rules: { option?: string; maxBytes: number }): Promise<Buffer> {
  try {
    return await readCappedFile(await realpath(file), rules);
  } catch (error) {
    const code = systemErrorCode(error);
    const why = error instanceof KiwiError ? `is ${error.detail?.split(': ').at(-1) ?? ''}` : WHY[code ?? ''];
    throw unusable(file, why ?? `cannot be read (${code ?? 'unknown'})`, { ...rules, cause: error });
  }
}

/** A file that a person named, and what is wrong with it. */
export function unusable(file: string, why: string, more: { option?: string; cause?: unknown } = {}): KiwiError {
  const option = more.option === undefined ? '' : `${more.option}: `;
  return new KiwiError('file-unusable', { detail: `${option}${file} ${why}`, cause: more.cause });
}
