import type { KeyObject } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { base64url } from '../../../../src/core/bytes.ts';
import type { Clock } from '../../../../src/core/clock.ts';
import type { OperatorKey } from '../../../../src/operator-client/sign-statement.ts';
import type { Certificate } from '../../../../src/pki/certificate.ts';
import { DAY, issueCertificate, type Issuer } from '../../../../src/pki/issue.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { EKU, operatorSubject, operatorUri } from '../../../../src/pki/roles.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import type { OperatorRole } from '../../../../src/protocol/operator-records.ts';
import { slicePaths, type SlicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { initSlice, type InitOptions } from '../../../../src/slice/init/init-slice.ts';
import type { Registry } from '../../../../src/slice/registry/registry.ts';
import { NOW } from '../../pki/test-authority.ts';

export const clock: Clock = { now: () => NOW.getTime(), monotonic: () => 0, sleep: () => Promise.resolve() };

/** The folder of a slice that `init` has just made, in a folder of its own. */
export async function newSlice(options: Partial<InitOptions> = {}): Promise<SlicePaths> {
  const dir = path.join(await mkdtemp(path.join(tmpdir(), 'kiwi-init-')), 'acme');
  const customer = { slug: 'acme', name: 'Acme GmbH', gatewayUrl: 'https://enroll.acme.example' };
  await initSlice({ dir, ...customer, domains: ['corp.acme.example'], ...options }, clock);
  return slicePaths(dir);
}

let serial = 30_000_000;

/** Somebody with a YubiKey of their own, as `operator add` registers them. */
export async function newOperator(
  { registry, issuer }: { readonly registry: Registry; readonly issuer: Issuer },
  name: string,
  role: OperatorRole = 'admin',
): Promise<
  OperatorKey & { readonly key: KeyObject; readonly certificate: Certificate; readonly yubikeySerial: number }
> {
  const key = generateP256();
  const certificate = await issueCertificate({
    ...{ subject: { cn: operatorSubject(name), o: 'Acme GmbH', ou: role }, key, issuer },
    ...{ notBefore: NOW, notAfter: new Date(NOW.getTime() + 30 * DAY) },
    ...{ extendedKeyUsages: [EKU.operatorKey], sanUris: [operatorUri('acme')] },
  });
  const kid = jwkThumbprint(publicJwk(key));
  const yubikeySerial = ++serial;
  const row = { name, role, kid, yubikeySerial, slot: '9c', certificate: base64url(certificate.der) };
  await registry.addOperator(
    { ...row, addedAt: NOW.getTime(), addedBy: 'operator' },
    { serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
    { requestId: 'r', actor: 'x', action: 'operator.add', decision: 'allowed' },
  );
  return { name, kid, key, signer: keySigner(key), certificate, yubikeySerial };
}
