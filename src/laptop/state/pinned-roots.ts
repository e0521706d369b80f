import { readFile } from 'node:fs/promises';

import { isMissing } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { parsePemBundle, type Certificate } from '../../pki/certificate.ts';

/** @throws KiwiError `pinned-roots-missing` */
export async function readPinnedRoots(file: string): Promise<Certificate[]> {
  try {
    const roots = parsePemBundle(await readFile(file, 'utf8'));
    if (roots.length > 0) return roots;
    throw new KiwiError('pinned-roots-missing', { detail: `${file} contains no certificate` });
  } catch (error) {
    if (error instanceof KiwiError) throw error;
    const detail = isMissing(error) ? `${file} does not exist` : `${file} cannot be read`;
    throw new KiwiError('pinned-roots-missing', { detail, cause: error });
  }
}
