import { expect, test } from 'vitest';

import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';
import { DEVICE_CERTIFICATE_HOURS } from '../../../../src/protocol/common.ts';
import { renderCaConfig } from '../../../../src/slice/ca/render-ca-config.ts';

interface Provisioner {
  readonly name: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly options: { readonly x509: { readonly template: string } };
}

const { authority } = JSON.parse(
  renderCaConfig({
    address: '10.77.0.1',
    port: 9443,
    crlPort: 9080,
    gatewayKey: publicJwk(generateP256()),
    yubikeyKey: publicJwk(generateP256()),
  }),
) as { authority: { provisioners: readonly Provisioner[] } };
const gateway = authority.provisioners.find(({ name }) => name === 'gateway');

test('a device certificate has the life that laptops accept, no less and no more', () => {
  const life = `${DEVICE_CERTIFICATE_HOURS}h0m0s`;
  const claims = { minTLSCertDuration: life, maxTLSCertDuration: life, defaultTLSCertDuration: life };
  expect(gateway?.claims).toMatchObject(claims);
});

test('a device certificate has no DNS name: the intermediate permits no single label', () => {
  expect(gateway?.options.x509.template).toContain('"uris"');
  expect(gateway?.options.x509.template).not.toContain('dnsNames');
});
