import { stat } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError } from '../../core/errors.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';

const MAX_BYTES = 256 * 1024;

/**
 * A file in the slice's own folder. The folder may have been created by a different user than the one that runs the
 * slice (`init` needs no root, `up` does), so the file may belong to the owner of the folder.
 *
 * @throws KiwiError `slice-damaged` when the file breaks a rule, `not-root` when we may not read it; the system's own
 *   error when it cannot be opened for another reason
 */
export async function readSliceFile(file: string, rules: { private: boolean }): Promise<Buffer> {
  try {
    const { uid } = await stat(path.dirname(file));
    return await readCappedFile(file, { maxBytes: MAX_BYTES, private: rules.private, owner: uid });
  } catch (error) {
    if (error instanceof KiwiError && error.code === 'state-damaged') {
      throw new KiwiError('slice-damaged', {
        ...(error.detail === undefined ? {} : { detail: error.detail }),
        cause: error,
      });
    }
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') {
      throw new KiwiError('not-root', { detail: file, cause: error });
    }
    throw error;
  }
}
