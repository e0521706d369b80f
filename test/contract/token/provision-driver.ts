// Runs inside the sandbox: what an operator's command does with a factory-new key, told as one JSON line.
import { generateKeyPairSync, verify } from 'node:crypto';

import { KiwiError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { generateInSlot, importCertificate, type ManagementKey } from '../../../src/token/provision.ts';
import { openToken } from '../../../src/token/token.ts';
import { certify } from './make-enrollment-key.ts';

const [serialText = '', managementKeyText = 'default', toolText = ''] = process.argv.slice(2);
const serial = Number(serialText);
const managementKey = (): ManagementKey =>
  managementKeyText === 'default' ? 'default' : new SecretBytes(Buffer.from(managementKeyText));

const tool = toolText === 'yubico-piv-tool' ? ({ tool: 'yubico-piv-tool' } as const) : {};

const token = await openToken();
try {
  const before = await token.list();
  const key = await generateInSlot(token, {
    serial,
    slot: '9c',
    pinPolicy: 'always',
    touchPolicy: 'always',
    managementKey: managementKey(),
    ...tool,
  });
  const data = Buffer.from('certificate request');
  const askPin = (): Promise<SecretBytes> => Promise.resolve(new SecretBytes(Buffer.from('123456')));
  const signature = await token.sign(key, data, { askPin });
  const wrong = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  const refused = await importCertificate(token, {
    serial,
    slot: '9c',
    der: await certify(wrong),
    managementKey: managementKey(),
    ...tool,
  }).catch((error: unknown) => (error as KiwiError).code);
  await importCertificate(token, {
    serial,
    slot: '9c',
    der: await certify(key.publicKey),
    managementKey: managementKey(),
    ...tool,
  });
  const found = await token.find({ serial, waitMs: 0 });
  const result = {
    before: before.map(({ serial, firmware, slots }) => ({ serial, firmware, slots: slots.length })),
    policies: [key.pinPolicy, key.touchPolicy],
    signed: verify('sha256', data, { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, signature),
    refused,
    found: [found.serial, found.slot, found.certificate.subject.o],
  };
  process.stdout.write(JSON.stringify(result));
} catch (error) {
  process.stdout.write(
    JSON.stringify(error instanceof KiwiError ? { code: error.code, detail: error.detail } : { stack: String(error) }),
  );
} finally {
  await token.close();
}
