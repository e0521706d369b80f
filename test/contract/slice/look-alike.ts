import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { DAY, issueCertificate, YEAR } from '../../../src/pki/issue.ts';
import { EKU, enrollmentUri } from '../../../src/pki/roles.ts';
import type { ProvisionedKey, TestSlice } from '../../fakes/slice/test-slice.ts';

type Issuer = NonNullable<Parameters<typeof issueCertificate>[0]['issuer']>;

/**
 * A certificate that looks like an enrollment certificate, for the key of `from`, issued by `issuer` or self-signed.
 */
export async function lookAlike(
  slice: TestSlice,
  from: ProvisionedKey,
  more: { issuer?: Issuer; notAfter?: Date } = {},
): Promise<ProvisionedKey> {
  const certificate = await issueCertificate({
    subject: { cn: `KiwiStack enrollment ${from.serial}`, o: 'Acme GmbH', ou: 'engineer' },
    key: from.key,
    ...(more.issuer === undefined ? {} : { issuer: more.issuer }),
    notBefore: new Date(Date.now() - 2 * DAY),
    notAfter: more.notAfter ?? new Date(Date.now() + YEAR),
    extendedKeyUsages: [EKU.enrollmentKey],
    sanUris: [enrollmentUri('acme'), slice.running.context.config.gateway.url],
  });
  return { ...from, chain: [certificate, slice.running.context.identity.intermediate] };
}

/** The customer's intermediate with its key, as an attacker who broke into the slice would have it. */
export async function intermediateOf(slice: TestSlice): Promise<Issuer> {
  return {
    certificate: slice.running.context.identity.intermediate,
    key: createPrivateKey(await readFile(slice.paths.ca.key)),
  };
}

/** The key of the provider's root. */
export async function mspKeyOf(slice: TestSlice): Promise<KeyObject> {
  return createPrivateKey(await readFile(slice.paths.msp.key));
}
