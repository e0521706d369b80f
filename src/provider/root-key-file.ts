import { createPrivateKey, type KeyObject } from 'node:crypto';

import { KiwiError } from '../core/errors.ts';
import { readGivenFile } from '../core/read-given-file.ts';
import type { Certificate } from '../pki/certificate.ts';
import { spkiDer } from '../pki/keys.ts';
import { algorithmFor } from '../pki/signer.ts';
import { MAX_GIVEN } from './request-file.ts';

/** Reads the key of a root from a file. @throws KiwiError `usage`, `file-unusable` */
export async function readRootKey(file: string, root: Certificate): Promise<KeyObject> {
  const pem = await readGivenFile(file, { option: '--root-key', maxBytes: MAX_GIVEN });
  try {
    const key = createPrivateKey(pem);
    if (algorithmFor(key) !== 'ES256') throw new TypeError('not a P-256 key');
    if (!spkiDer(key).equals(root.spki)) throw new TypeError('not the key of --root-certificate');
    return key;
  } catch (error) {
    const why = error instanceof TypeError ? error.message : 'not a private key in PEM, or one with a password';
    throw new KiwiError('usage', { detail: `--root-key is ${why}`, cause: error });
  } finally {
    pem.fill(0);
  }
}
