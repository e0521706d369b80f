import { readCappedFile } from '../../core/read-capped-file.ts';
import { isMissing, removeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { bootstrap, MAX_BOOTSTRAP, type Bootstrap } from '../../protocol/bootstrap.ts';
import { parseMessage } from '../../protocol/parse.ts';

/** @throws KiwiError `claim-token-missing`, `claim-token-damaged` */
export async function readToken(file: string): Promise<Bootstrap> {
  let bytes: Buffer;
  try {
    bytes = await readCappedFile(file, { maxBytes: MAX_BOOTSTRAP, private: true });
  } catch (error) {
    if (isMissing(error)) throw new KiwiError('claim-token-missing', { detail: file });
    const why = error instanceof KiwiError ? error.detail : undefined;
    throw new KiwiError('claim-token-damaged', { detail: why ?? file, cause: error });
  }
  return parseMessage(bootstrap, bytes, MAX_BOOTSTRAP, 'claim-token-damaged');
}

/** Safe to repeat. */
export const removeToken = (file: string): Promise<void> => removeDurableFile(file);
