import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';

import { parseCertificate, parsePemBundle } from '../../../src/pki/certificate.ts';
import { issueCertificate } from '../../../src/pki/issue.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import type { Customer } from './customer.ts';

const HOUR = 3_600_000;

/**
 * Moves the last certificate of an enrolled laptop into the past, on the laptop and in the slice's registry, as if it had been
 * switched off since. (The clock of step-ca, a Go program, cannot be moved inside a room.) The certificate is issued anew by the
 * customer's intermediate, with the same content.
 */
export async function makeOlder(
  customer: Customer,
  { laptop, serial }: { readonly laptop: { path(inside: string): string }; readonly serial: number },
  hours: number,
): Promise<void> {
  const paths = slicePaths(customer.world.sliceDir);
  const file = laptop.path('/etc/step/certs/acme.crt');
  const [leaf, ...issuers] = parsePemBundle(await readFile(file, 'utf8'));
  const [device] = await customer.liveDevicesOf(serial);
  if (leaf === undefined || device === undefined) throw new Error('it is not enrolled');
  const { cn = '', o = '', ou = '' } = leaf.subject;
  const older = await issueCertificate({
    subject: { cn, o, ou },
    key: leaf.publicKey,
    issuer: {
      certificate: parseCertificate(await readFile(paths.ca.certificate, 'utf8')),
      key: createPrivateKey(await readFile(paths.ca.key)),
    },
    notBefore: new Date(leaf.notBefore.getTime() - hours * HOUR),
    notAfter: new Date(leaf.notAfter.getTime() - hours * HOUR),
    extendedKeyUsages: leaf.extendedKeyUsages,
    sanDns: leaf.sanDns,
    sanUris: leaf.sanUris,
  });
  await writeFile(file, [older, ...issuers].map(({ pem }) => pem).join(''));
  const recordFile = laptop.path('/var/lib/kiwistack/enrollment.json');
  const record = JSON.parse(await readFile(recordFile, 'utf8')) as { device: { certificate: { renewAfter: string } } };
  const { certificate } = record.device;
  certificate.renewAfter = new Date(Date.parse(certificate.renewAfter) - hours * HOUR).toISOString();
  await writeFile(recordFile, JSON.stringify(record));
  const registry = new DatabaseSync(paths.registry, { timeout: 5000 });
  try {
    registry
      .prepare('UPDATE certificate SET not_after = not_after - ? WHERE device_id = ?')
      .run(hours * HOUR, device.id);
  } finally {
    registry.close();
  }
}
