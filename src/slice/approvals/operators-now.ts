import type { Clock } from '../../core/clock.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { SliceIdentity } from '../config/slice-identity.ts';
import { operatorIn } from '../decisions/operator-certificate.ts';
import type { Signer } from '../decisions/open-statement.ts';
import type { Registry } from '../registry/registry.ts';

export interface OperatorSources {
  readonly config: SliceConfig;
  readonly identity: Pick<SliceIdentity, 'intermediate' | 'mspRoot'>;
  readonly registry: Pick<Registry, 'listOperators'>;
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * Everybody who is an operator now. Name and role are what the certificate says, under the intermediate in use: who can write to the
 * registry can remove an operator, and make none.
 */
export async function operatorsNow({ config, identity, registry, clock }: OperatorSources): Promise<Signer[]> {
  const trust = { slug: config.customer.slug, intermediate: identity.intermediate, root: identity.mspRoot };
  const at = new Date(clock.now());
  return (await registry.listOperators()).flatMap((row) => {
    if (row.removedAt !== null) return [];
    const certificate = parseCertificate(Buffer.from(row.certificate, 'base64url'));
    const named = operatorIn(certificate, trust, at);
    if (typeof named === 'string') return [];
    return [{ ...named, yubikeySerial: row.yubikeySerial, publicKey: certificate.publicKey }];
  });
}
