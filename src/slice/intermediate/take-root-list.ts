import { existsSync } from 'node:fs';

import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { revocationListPem, type RevocationList } from '../../pki/revocation-list.ts';
import { MAX_GIVEN } from '../../provider/request-file.ts';
import { readPart, readRootList } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { refuse } from './check-answer.ts';

/**
 * Takes a newer revocation list of the provider, which laptops are told from the next start on. One that takes back the slice's own
 * intermediate is not taken without another intermediate in its place: the slice would not start.
 *
 * @throws KiwiError `file-unusable`, `usage`, `intermediate-refused`
 */
export async function takeRootList(dir: string, file: string): Promise<RevocationList> {
  const { ca } = slicePaths(dir);
  const text = async (part: string): Promise<string> => (await readPart(part)).toString('utf8');
  const root = parseCertificate(await text(ca.root));
  const pem = (await readGivenFile(file, { option: '--in', maxBytes: MAX_GIVEN })).toString('utf8');
  const list = readRootList(pem, root, file, 'file-unusable');
  const known = existsSync(ca.rootList) ? readRootList(await text(ca.rootList), root, ca.rootList) : undefined;
  if (known !== undefined && list.number < known.number) {
    throw new KiwiError('usage', { detail: `--in is list ${list.number}, and the slice has ${known.number}` });
  }
  if (list.revokes(parseCertificate(await text(ca.certificate)))) refuse('this list takes it back; use `replace`');
  await writeDurableFile(ca.rootList, revocationListPem(list), 0o644);
  return list;
}
