import { base64url } from '../../core/bytes.ts';
import type { CertificateHead } from '../../pki/issued-certificate.ts';
import { PROTOCOL } from '../../protocol/common.ts';
import type { Grant } from '../../protocol/grant.ts';
import { renewAfter } from '../ca/issue-device-certificate.ts';
import type { FleetConfig } from '../config/fleet-config.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { SliceIdentity } from '../config/slice-identity.ts';
import type { Device, Outcome } from '../registry/registry.ts';
import { timestampOf } from '../slice-context.ts';

/** The content of a grant, taken only from the registry and the configuration. */
export function renderGrant(input: {
  config: SliceConfig;
  identity: SliceIdentity;
  fleet: FleetConfig;
  device: Device;
  outcome: Pick<Outcome, 'sessionId' | 'statementHash'>;
  certificate: CertificateHead;
  now: number;
  confirmBy: number;
}): Grant {
  const { config, identity, fleet, device, outcome, certificate } = input;
  return {
    protocol: PROTOCOL,
    slug: config.customer.slug,
    deviceId: device.id,
    sessionId: outcome.sessionId,
    statementHash: outcome.statementHash,
    issuedAt: timestampOf(input.now),
    confirmBy: timestampOf(input.confirmBy),
    hostName: device.hostName,
    certificate: {
      chain: [base64url(certificate.der), base64url(identity.intermediate.der)],
      trustRoots: [base64url(identity.mspRoot.der)],
      role: device.role,
      customer: config.customer.name,
      renewAfter: timestampOf(renewAfter(certificate)),
    },
    wireguard: {
      address: device.address,
      endpoints: config.wireguard.endpoints,
      serverPublicKey: config.wireguard.publicKey,
      presharedKey: device.presharedKey,
      allowedCidrs: config.inside.cidrs,
      dns: config.inside.dns,
      keepaliveSeconds: config.wireguard.keepaliveSeconds,
      probe: config.inside.address,
    },
    fleet: {
      url: fleet.url,
      serverCa: fleet.serverCa,
      enrollSecret: fleet.enrollSecret,
      packages: Object.fromEntries(
        fleet.packages.map(({ key, sha256, size }) => [
          key,
          { url: `${config.gateway.url}/v1/packages/${sha256}`, sha256, size },
        ]),
      ),
    },
  };
}
