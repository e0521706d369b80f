import { DEVICE_CERTIFICATE_HOURS, type P256Jwk } from '../../protocol/common.ts';
import { jwkThumbprint } from '../../pki/keys.ts';
import { deviceTemplate, yubikeyTemplate } from './certificate-templates.ts';

/** Names of step-ca's provisioners; also the `iss` of their one-time tokens. */
export const PROVISIONER = { gateway: 'gateway', yubikey: 'yubikey' } as const;

export interface CaConfigInput {
  readonly address: string;
  readonly port: number;
  readonly crlPort: number;
  readonly gatewayKey: P256Jwk;
  readonly yubikeyKey: P256Jwk;
}

/**
 * ca.json for step-ca 0.30. Renewal is disabled everywhere: step-ca renews and rekeys for anyone who holds a
 * certificate's key, without evaluating the template or the policy again, and the gateway could not stop a lost laptop
 * from renewing. No `logger`: its request log would contain one-time tokens. No `encryptedKey`: step-ca would serve it
 * to anyone.
 */
export function renderCaConfig(input: CaConfigInput): string {
  const crlUrl = crlDistributionPoint(input);
  const config = {
    root: 'root.crt',
    crt: 'intermediate.crt',
    key: 'intermediate.key',
    address: `${input.address}:${input.port}`,
    insecureAddress: `${input.address}:${input.crlPort}`,
    dnsNames: [input.address],
    db: { type: 'bbolt', dataSource: 'step-ca.db' },
    // `idpURL` must equal the distribution point in the certificates byte for byte; otherwise OpenSSL fails with error
    // 44.
    crl: { enabled: true, generateOnRevoke: true, cacheDuration: '1h', renewPeriod: '15m', idpURL: crlUrl },
    tls: { minVersion: 1.2, maxVersion: 1.3, renegotiation: false },
    authority: {
      backdate: '1m0s',
      claims: { disableRenewal: true, allowRenewalAfterExpiry: false, enableSSHCA: false },
      provisioners: [
        provisioner(PROVISIONER.gateway, input.gatewayKey, `${DEVICE_CERTIFICATE_HOURS}h0m0s`, deviceTemplate(crlUrl)),
        provisioner(PROVISIONER.yubikey, input.yubikeyKey, '8760h0m0s', yubikeyTemplate(crlUrl)),
      ],
    },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Where the CRL is published: inside the tunnel, over plain HTTP, because CRLs are signed. */
export function crlDistributionPoint(input: { address: string; crlPort: number }): string {
  return `http://${input.address}:${input.crlPort}/crl`;
}

/** The public key of a provisioner, as ca.json has it. */
export function provisionerKey({ x, y, ...key }: P256Jwk): Record<string, string> & { kid: string } {
  return { use: 'sig', kty: 'EC', crv: 'P-256', alg: 'ES256', kid: jwkThumbprint({ x, y, ...key }), x, y };
}

function provisioner(name: string, key: P256Jwk, duration: string, template: string): object {
  return {
    type: 'JWK',
    name,
    key: provisionerKey(key),
    claims: {
      minTLSCertDuration: duration,
      maxTLSCertDuration: duration,
      defaultTLSCertDuration: duration,
      disableRenewal: true,
      allowRenewalAfterExpiry: false,
      enableSSHCA: false,
    },
    options: { x509: { template } },
  };
}
