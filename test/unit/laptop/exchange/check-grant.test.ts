import { beforeAll, describe, expect, it } from 'vitest';

import { checkGrant, type GrantExpectation } from '../../../../src/laptop/exchange/check-grant.ts';
import { base64url, digest } from '../../../../src/core/bytes.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { deviceUri, EKU } from '../../../../src/pki/roles.ts';
import type { Grant } from '../../../../src/protocol/grant.ts';
import { ID } from '../../protocol/examples.ts';
import { makeGateway, makeIntermediate, makeRoot, NOW } from '../../pki/test-authority.ts';
import {
  expectationOf,
  makeCustomer,
  makeDeviceCertificate,
  makeGrantContent,
  sealGrant,
  type Customer,
} from './exchange.ts';

let acme: Customer;
let content: Grant;
beforeAll(async () => {
  acme = await makeCustomer();
  content = await makeGrantContent(acme);
});

async function outcome(jwe: string, changes: Partial<GrantExpectation> = {}): Promise<string> {
  try {
    await checkGrant(jwe, { ...expectationOf(acme), ...changes });
  } catch (error) {
    if (!(error instanceof KiwiError)) throw error;
    expect(error.code).toBe('grant-invalid');
    return error.detail ?? '';
  }
  return 'taken';
}

const withLeaf = async (changes: Parameters<typeof makeDeviceCertificate>[1], more: Partial<Grant> = {}) => {
  const leaf = await makeDeviceCertificate(acme, changes);
  return sealGrant(acme, { ...(await makeGrantContent(acme, leaf)), ...more });
};

describe('a grant', () => {
  it('that is what was asked for is taken, with the hash that confirm will name', async () => {
    const jwe = await sealGrant(acme, content);
    const checked = await checkGrant(jwe, expectationOf(acme));
    expect(checked.grant).toEqual(content);
    expect(checked.hash).toBe(digest(jwe));
    expect(checked.certificate.subject.cn).toBe('anna-laptop');
    expect(checked.trustRoots.map(({ der }) => der)).toEqual([acme.root.certificate.der]);
  });

  it('for another device key cannot be read', async () => {
    expect(await outcome(await sealGrant(acme, content, { recipient: generateP256() }))).toBe('cannot be decrypted');
  });

  it.each([
    ['another typ outside', { encryptedTyp: 'kiwi-statement+jwe' }, 'another typ'],
    ['another typ inside', { typ: 'kiwi-challenge+jws' }, 'another typ'],
    ['a signature by another key', { key: generateP256() }, 'signature'],
  ])('with %s is refused', async (_what, how, detail) => {
    expect(await outcome(await sealGrant(acme, content, how))).toBe(detail);
  });

  it('signed by another gateway of the same customer than the challenge is refused', async () => {
    const other = await makeGateway(acme.intermediate);
    const how = { key: other.key, x5c: [other.certificate.der, acme.intermediate.certificate.der] };
    expect(await outcome(await sealGrant(acme, content, how))).toBe('signed by another certificate than the challenge');
  });

  it('with another intermediate, or another number of certificates, is refused', async () => {
    const twin = await makeIntermediate(acme.root);
    const gateway = acme.gateway.certificate.der;
    expect(await outcome(await sealGrant(acme, content, { x5c: [gateway, twin.certificate.der] }))).toBe(
      'another intermediate',
    );
    expect(await outcome(await sealGrant(acme, content, { x5c: [gateway] }))).toBe('x5c');
    const three = [gateway, acme.intermediate.certificate.der, acme.root.certificate.der];
    expect(await outcome(await sealGrant(acme, content, { x5c: three }))).toBe('x5c');
  });

  it.each<[string, (grant: Grant) => unknown, string]>([
    ['another customer', (grant) => ({ ...grant, slug: 'beta' }), 'another customer'],
    ['another session', (grant) => ({ ...grant, sessionId: ID.attempt }), 'another session'],
    ['another statement', (grant) => ({ ...grant, statementHash: digest('x') }), 'another statement'],
    ['another host name', (grant) => ({ ...grant, hostName: 'bob-laptop' }), 'another host name'],
    [
      'a time to confirm that is over',
      (grant) => ({ ...grant, confirmBy: NOW.toISOString() }),
      'its time to confirm is over',
    ],
    ['another device id than the certificate’s', (grant) => ({ ...grant, deviceId: ID.attempt }), 'device URI'],
    [
      'another role',
      (grant) => ({ ...grant, certificate: { ...grant.certificate, role: 'admin' } }),
      'customer or role',
    ],
    [
      'another customer’s name',
      (grant) => ({ ...grant, certificate: { ...grant.certificate, customer: 'Beta' } }),
      'customer or role',
    ],
    [
      'no certificate',
      (grant) => ({ ...grant, certificate: { ...grant.certificate, chain: ['AAAA', 'AAAA'] } }),
      'a certificate cannot be read',
    ],
    [
      'a renewal after the end',
      (grant) => ({ ...grant, certificate: { ...grant.certificate, renewAfter: '2026-03-09T00:00:00.000Z' } }),
      'renewal time',
    ],
    [
      'a renewal before the beginning',
      (grant) => ({ ...grant, certificate: { ...grant.certificate, renewAfter: '2026-02-01T00:00:00.000Z' } }),
      'renewal time',
    ],
    [
      'a trust root that is no certificate',
      (grant) => ({ ...grant, certificate: { ...grant.certificate, trustRoots: ['AAAA'] } }),
      'a certificate cannot be read',
    ],
    [
      'the default route',
      (grant) => ({ ...grant, wireguard: { ...grant.wireguard, allowedCidrs: ['0.0.0.0/0'] } }),
      'a route that is too wide',
    ],
    [
      'half of the internet',
      (grant) => ({ ...grant, wireguard: { ...grant.wireguard, allowedCidrs: ['10.0.0.0/24', '128.0.0.0/1'] } }),
      'a route that is too wide',
    ],
    [
      'no CA for Fleet',
      (grant) => ({ ...grant, fleet: { ...grant.fleet, serverCa: 'none' } }),
      "the Fleet server's CA",
    ],
    ['an unknown field', (grant) => ({ ...grant, runAsRoot: 'curl' }), '(message): unrecognized_keys'],
    ['another protocol', (grant) => ({ ...grant, protocol: 'kiwi/2' }), 'protocol: invalid_value'],
  ])('with %s is refused', async (_what, change, detail) => {
    expect(await outcome(await sealGrant(acme, change(content) as object))).toBe(detail);
  });

  it('that is not JSON, or has a duplicate member, is refused', async () => {
    expect(await outcome(await sealGrant(acme, 'hello'))).toBe('not JSON');
    const twice = JSON.stringify(content).replace('{', '{"slug":"beta",');
    expect(await outcome(await sealGrant(acme, twice))).toBe('duplicate member name');
  });

  it('may add a suffix to the host name, and nothing else', async () => {
    const named = async (hostName: string) => {
      const dns = { subject: { cn: hostName, o: 'Acme GmbH', ou: 'engineer' }, sanDns: [hostName] };
      return outcome(await withLeaf(dns, { hostName }));
    };
    expect(await named('anna-laptop-0f3c')).toBe('taken');
    for (const other of [
      'anna-laptop-xyz1',
      'anna-laptop-0f3',
      'anna-lap-0f3c',
      'a-0f3c',
      'anna-laptop-0f3c-0f3c',
      'anna-laptop0f3c',
    ]) {
      expect([other, await named(other)]).toEqual([other, 'another host name']);
    }
  });

  it('shortens a long host name for its suffix', async () => {
    const asked = `${'a'.repeat(57)}-bcdef`;
    const hostName = `${'a'.repeat(57)}-0f3c`;
    const dns = { subject: { cn: hostName, o: 'Acme GmbH', ou: 'engineer' }, sanDns: [hostName] };
    const jwe = await withLeaf(dns, { hostName });
    expect(await outcome(jwe, { hostName: asked })).toBe('taken');
  });

  it.each<[string, Parameters<typeof makeDeviceCertificate>[1], string]>([
    ['for another key', { key: generateP256() }, 'certificate for another key'],
    [
      'for another host',
      { subject: { cn: 'bob-laptop', o: 'Acme GmbH', ou: 'engineer' } },
      "the certificate's subject",
    ],
    [
      'of another organisation',
      { subject: { cn: 'anna-laptop', o: 'Beta', ou: 'engineer' } },
      "the certificate's subject",
    ],
    ['of another role', { subject: { cn: 'anna-laptop', o: 'Acme GmbH', ou: 'admin' } }, "the certificate's subject"],
    ['without a role', { subject: { cn: 'anna-laptop', o: 'Acme GmbH' } }, "the certificate's subject"],
    ['with another use', { extendedKeyUsages: [EKU.serverAuth] }, 'extended key usage'],
    ['with one use more', { extendedKeyUsages: [EKU.clientAuth, EKU.gateway] }, 'extended key usage'],
    ['with no use', { extendedKeyUsages: [] }, 'extended key usage'],
    ['of another device', { sanUris: [deviceUri('acme', ID.attempt)] }, 'device URI'],
    ['of another customer’s device', { sanUris: [deviceUri('beta', ID.device)] }, 'device URI'],
    ['with another DNS name', { sanDns: ['anna-laptop', 'fleet.corp.acme.example'] }, 'DNS name'],
    ['that lives longer than a day', { notAfter: new Date(NOW.getTime() + 2 * DAY) }, 'certificate lifetime'],
    ['that is not valid yet', { notBefore: new Date(NOW.getTime() + 60_000) }, 'leaf: not-yet-valid'],
    [
      'that is out of date',
      { notBefore: new Date(NOW.getTime() - DAY), notAfter: new Date(NOW.getTime() - 1000) },
      'leaf: expired',
    ],
    ['that is a CA’s', { ca: { pathLength: 0 } }, 'leaf: leaf-is-ca'],
  ])('with a certificate %s is refused', async (_what, changes, detail) => {
    expect(await outcome(await withLeaf(changes))).toBe(detail);
  });

  it('with a certificate by another than the customer’s intermediate is refused', async () => {
    const twin = await makeIntermediate(acme.root);
    expect(await outcome(await withLeaf({ issuer: twin }))).toBe('leaf: signature');
    const chain = [content.certificate.chain[0] ?? '', base64url(twin.certificate.der)];
    const other = { ...content, certificate: { ...content.certificate, chain } };
    expect(await outcome(await sealGrant(acme, other))).toBe('another intermediate');
  });

  it('cannot bring a root of its own into the system’s trust store', async () => {
    const own = await makeRoot();
    const trustRoots = [base64url(acme.root.certificate.der), base64url(own.certificate.der)];
    const greedy = { ...content, certificate: { ...content.certificate, trustRoots } };
    expect(await outcome(await sealGrant(acme, greedy))).toBe('a trust root that is not pinned');
    const intermediate = [base64url(acme.intermediate.certificate.der)];
    const sub = { ...content, certificate: { ...content.certificate, trustRoots: intermediate } };
    expect(await outcome(await sealGrant(acme, sub))).toBe('a trust root that is not pinned');
  });

  it.each(['', 'a.b.c.d.e', '<html>'])('is not %j', async (jwe) => {
    expect(await outcome(jwe)).not.toBe('taken');
  });
});
