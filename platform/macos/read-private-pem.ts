import { createPrivateKey } from 'node:crypto';

import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';

/** The private key in a file of root's, in the form that OpenSSL has for keys of elliptic curves (RFC 5915). */
export async function readPrivatePem(file: string): Promise<string> {
  const bytes = await readCappedFile(file, { maxBytes: 64 * 1024, private: true });
  try {
    return createPrivateKey(bytes).export({ type: 'sec1', format: 'pem' }).toString();
  } catch (error) {
    throw new KiwiError('state-damaged', { detail: `${file}: not a private key`, cause: error });
  } finally {
    bytes.fill(0);
  }
}
