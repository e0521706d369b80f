import type { KeyObject } from 'node:crypto';

import { writeDurableFile } from '../../core/durable-file.ts';
import type { Certificate } from '../../pki/certificate.ts';

export async function writeKey(file: string, key: KeyObject): Promise<void> {
  // step-ca reads EC keys in this form without a password.
  await writeDurableFile(file, key.export({ type: 'pkcs8', format: 'pem' }), 0o600);
}

export async function writeCertificate(file: string, certificate: Certificate): Promise<void> {
  await writeDurableFile(file, certificate.pem, 0o644);
}
