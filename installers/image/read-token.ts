import { readGivenFile, unusable } from '../../src/core/read-given-file.ts';
import { decryptWith } from '../../src/pki/jwe.ts';
import { JoseError } from '../../src/pki/jws.ts';
import { readRecipientKey } from '../../src/pki/recipient-files.ts';
import { bootstrap, MAX_BOOTSTRAP, SEALED_TOKEN, type Bootstrap } from '../../src/protocol/bootstrap.ts';
import { parseMessage } from '../../src/protocol/parse.ts';

/**
 * The token of one laptop: JSON, or sealed for the OEM.
 * @param key the file with the OEM's private key, for one that is sealed
 * @throws KiwiError `file-unusable`; nothing of the token is quoted
 */
export async function readToken(file: string, key: string | undefined): Promise<Bootstrap> {
  const option = '--bootstrap';
  const bytes = await readGivenFile(file, { option, maxBytes: 4 * MAX_BOOTSTRAP });
  const sealed = !bytes.subarray(0, 1).equals(Buffer.from('{'));
  if (sealed && key === undefined) throw unusable(file, 'is sealed, or no token: give the key with --key', { option });
  const text = sealed && key !== undefined ? await open(file, bytes.toString('latin1').trim(), key) : bytes;
  return parseMessage(bootstrap, text, MAX_BOOTSTRAP, 'file-unusable');
}

async function open(file: string, jwe: string, key: string): Promise<Buffer> {
  try {
    return await decryptWith(await readRecipientKey(key), jwe, SEALED_TOKEN);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    const why = error.reason === 'undecryptable' ? 'is sealed for another key, or was changed' : 'is no token';
    throw unusable(file, why, { option: '--bootstrap', cause: error });
  }
}
