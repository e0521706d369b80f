import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';

import { base64url } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { EKU } from '../../pki/roles.ts';
import { operatorsNow } from '../approvals/operators-now.ts';
import { readPart } from '../config/slice-identity.ts';
import { operatorIn, type NamedOperator } from '../decisions/operator-certificate.ts';
import type { Operator } from '../registry/registry.ts';
import { openToReissue, type Reissue, type ReissuingSlice } from './reissue.ts';

const ADD_AGAIN = 'Remove the operator and add them again: `kiwistack-operator operator remove`, then `operator add`.';

/**
 * Opens the slice in a folder to renew the certificates of operators, after the intermediate was replaced or before they end: until
 * then nobody signs in. Key, name and role stay. Name and role are those in the certificate that the operator has, under the intermediate
 * in use or the one before it; whoever can write to the registry and has no intermediate's key makes nobody an admin.
 *
 * @throws KiwiError `slice-missing`, `operators-not-permitted`
 */
export async function reissueOperators(dir: string, clock: Clock): Promise<Reissue> {
  const slice = await openToReissue(dir, clock);
  const { config, identity, registry, issue } = slice;
  if (!identity.intermediate.extendedKeyUsages.includes(EKU.operatorKey)) {
    registry.close();
    throw new KiwiError('operators-not-permitted');
  }
  const now = new Set((await operatorsNow(slice)).map(({ kid }) => kid));
  const live = async (): Promise<Operator[]> =>
    (await registry.listOperators()).filter(({ removedAt }) => removedAt === null);
  return {
    identity,
    slug: config.customer.slug,
    keys: (await live()).map(({ yubikeySerial: serial, slot, name, role, kid, addedAt, addedBy }) => ({
      ...{ serial, slot, name, certified: now.has(kid) },
      about: `${name} (${role}), YubiKey ${serial}, added ${new Date(addedAt).toISOString()} by ${addedBy}`,
    })),
    async certify(serial, how) {
      const known = (await live()).find(({ yubikeySerial }) => yubikeySerial === serial);
      if (known === undefined) throw new KiwiError('operator-unknown', { detail: `YubiKey ${serial}` });
      const before = parseCertificate(Buffer.from(known.certificate, 'base64url'));
      if (how !== 'written' && !how.inHand.equals(before.spki)) {
        throw new KiwiError('operator-unknown', { detail: `YubiKey ${serial} is registered with another key` });
      }
      const { name, role } = await namedBefore(slice, known);
      const certificate = await issue({ operates: { name, role } }, before.publicKey);
      const why = `${name}, ${role}, certificate ${certificate.serialHex}`;
      const entry = { requestId: randomUUID(), actor: 'operator', action: 'operator.reissue', why } as const;
      const isKnown = await registry.certifyOperator(
        { kid: known.kid, certificate: base64url(certificate.der) },
        { serial: certificate.serialHex, notAfter: certificate.notAfter.getTime() },
        clock.now(),
        { ...entry, decision: 'allowed', yubikeySerial: serial },
      );
      if (!isKnown) throw new KiwiError('operator-unknown', { detail: `${name} was removed` });
      return certificate;
    },
    close: () => {
      registry.close();
    },
  };
}

/** @throws KiwiError `operator-unknown` */
async function namedBefore(
  { paths, config, identity, clock }: ReissuingSlice,
  known: Operator,
): Promise<NamedOperator> {
  const certificate = parseCertificate(Buffer.from(known.certificate, 'base64url'));
  const previous = existsSync(paths.ca.previous)
    ? [parseCertificate((await readPart(paths.ca.previous)).toString('utf8'))]
    : [];
  // One that has ended says whose key it is as well.
  const at = new Date(Math.min(clock.now(), certificate.notAfter.getTime()));
  let fault = '';
  for (const intermediate of [identity.intermediate, ...previous]) {
    const named = operatorIn(certificate, { slug: config.customer.slug, intermediate, root: identity.mspRoot }, at);
    if (typeof named !== 'string' && named.kid === known.kid) return named;
    fault = typeof named === 'string' ? named : 'the certificate of another key';
  }
  throw new KiwiError('operator-unknown', { detail: `${known.name}: ${fault}`, hint: ADD_AGAIN });
}
