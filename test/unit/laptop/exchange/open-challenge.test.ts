import { beforeAll, describe, expect, it } from 'vitest';

import { sha256 } from '../../../../src/core/bytes.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { openChallenge, type OpenedChallenge } from '../../../../src/laptop/exchange/open-challenge.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { issueRevocationList } from '../../../../src/pki/revocation-list.ts';
import { EKU, enrollmentUri } from '../../../../src/pki/roles.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { sessionCode } from '../../../../src/protocol/session-code.ts';
import {
  makeEnrollmentKey,
  makeGateway,
  makeIntermediate,
  makeRoot,
  NOW,
  type Authority,
} from '../../pki/test-authority.ts';
import { makeChallenge, makeCustomer, type Customer } from './exchange.ts';

let acme: Customer;
beforeAll(async () => {
  acme = await makeCustomer();
});

type Input = Parameters<typeof openChallenge>[0];

const open = (jws: string, changes: Partial<Input> = {}): OpenedChallenge =>
  openChallenge({
    jws,
    helloBytes: acme.helloBytes,
    slug: 'acme',
    keyCertificate: acme.enrollmentKey.certificate,
    roots: [acme.root.certificate],
    now: NOW.getTime(),
    ...changes,
  });

function refusal(jws: string, changes: Partial<Input> = {}): string {
  try {
    open(jws, changes);
  } catch (error) {
    if (error instanceof KiwiError) return `${error.code}: ${error.detail ?? ''}`;
    throw error;
  }
  return 'taken';
}

const chainOf = (leaf: Authority, intermediate: Authority) => ({
  key: leaf.key,
  x5c: [leaf.certificate.der, intermediate.certificate.der],
});

describe('a challenge', () => {
  it('of the customer’s slice is accepted, and gives what the laptop needs next', async () => {
    const jws = await makeChallenge(acme);
    const opened = open(jws);
    expect(opened.challenge.customer).toEqual({ slug: 'acme', name: 'Acme GmbH' });
    expect(opened.hash.equals(sha256(jws))).toBe(true);
    expect(opened.code).toBe(sessionCode(sha256(acme.helloBytes), sha256(jws)));
    expect(opened.gateway.der.equals(acme.gateway.certificate.der)).toBe(true);
    expect(opened.intermediate.der.equals(acme.intermediate.certificate.der)).toBe(true);
    expect(opened.root).toBe(acme.root.certificate);
    expect(opened.skewMs).toBe(0);
  });

  it('is refused when any character of it is another', async () => {
    const jws = await makeChallenge(acme);
    const outcomes = new Set<string>();
    // Every seventh character: a prime, so that all places of base64's groups are met.
    for (let at = 0; at < jws.length; at += 7) {
      const changed = jws.slice(0, at) + (jws[at] === 'A' ? 'B' : 'A') + jws.slice(at + 1);
      const result = refusal(changed);
      outcomes.add(result.split(':')[0] ?? '');
      expect([at, result]).not.toEqual([at, 'taken']);
    }
    expect([...outcomes].every((code) => ['slice-not-proven', 'slice-root-unknown'].includes(code))).toBe(true);
  });

  it('that answers another hello is refused, also when one byte of it differs', async () => {
    const jws = await makeChallenge(acme);
    const other = Buffer.from(acme.helloBytes);
    other[other.length - 2] = (other.at(-2) ?? 0) ^ 1;
    expect(refusal(jws, { helloBytes: other })).toBe('slice-not-proven: answers another hello');
    expect(refusal(jws, { helloBytes: Buffer.concat([acme.helloBytes, Buffer.from('\n')]) })).toBe(
      'slice-not-proven: answers another hello',
    );
  });

  it('for another customer is refused', async () => {
    const named = (customer: { slug: string; name: string }) => makeChallenge(acme, { customer });
    const foreign = "slice-not-proven: another customer than the intermediate's";
    expect(refusal(await named({ slug: 'beta', name: 'Acme GmbH' }))).toBe(foreign);
    expect(refusal(await named({ slug: 'acme', name: 'Beta School' }))).toBe(foreign);
    // A key that the online intermediate made out for another slug does not change who the customer is.
    const key = await makeEnrollmentKey(acme.intermediate, { sanUris: [enrollmentUri('beta'), 'https://b.example'] });
    const beta = await named({ slug: 'beta', name: 'Acme GmbH' });
    expect(refusal(beta, { slug: 'beta', keyCertificate: key.certificate })).toBe(foreign);
    expect(refusal(await makeChallenge(acme), { slug: 'beta' })).toBe('slice-not-proven: another customer');
  });

  it('of another customer of the same provider is refused: another issuer than that of the key', async () => {
    const intermediate = await makeIntermediate(acme.root, 'beta intermediate');
    const gateway = await makeGateway(intermediate);
    expect(refusal(await makeChallenge(acme, {}, chainOf(gateway, intermediate)))).toBe(
      "slice-not-proven: another issuer than that of the key's certificate",
    );
  });

  it('under an intermediate with the same name and another key is refused', async () => {
    // Of before the key, so that it is not the customer's next one.
    const twin = await makeIntermediate(acme.root, undefined, { notBefore: new Date(NOW.getTime() - 3 * DAY) });
    const gateway = await makeGateway(twin);
    expect(refusal(await makeChallenge(acme, {}, chainOf(gateway, twin)))).toBe(
      "slice-not-proven: another issuer than that of the key's certificate",
    );
  });

  it.each([
    ['a device', [EKU.clientAuth]],
    ['a YubiKey', [EKU.enrollmentKey]],
    ['a web server', [EKU.serverAuth]],
    ['nothing in particular', undefined],
  ])('signed with the certificate of %s is refused', async (_whose, extendedKeyUsages) => {
    const signer = await makeGateway(acme.intermediate, extendedKeyUsages === undefined ? {} : { extendedKeyUsages });
    const bare = await makeEnrollmentKey(acme.intermediate, { extendedKeyUsages: extendedKeyUsages ?? [] });
    const leaf = extendedKeyUsages === undefined ? bare : signer;
    expect(refusal(await makeChallenge(acme, {}, chainOf(leaf, acme.intermediate)))).toBe(
      'slice-not-proven: role of the signer',
    );
  });

  it('signed with the very YubiKey that is inserted is refused', async () => {
    expect(refusal(await makeChallenge(acme, {}, chainOf(acme.enrollmentKey, acme.intermediate)))).toBe(
      'slice-not-proven: role of the signer',
    );
  });

  it('signed by another key than its certificate’s is refused', async () => {
    expect(refusal(await makeChallenge(acme, {}, { key: acme.enrollmentKey.key }))).toBe('slice-not-proven: signature');
  });

  it('with another number of certificates than two is refused', async () => {
    const { gateway, intermediate, root } = acme;
    const ders = [gateway, intermediate, root].map(({ certificate }) => certificate.der);
    expect(refusal(await makeChallenge(acme, {}, { x5c: ders.slice(0, 1) }))).toBe('slice-not-proven: x5c');
    expect(refusal(await makeChallenge(acme, {}, { x5c: ders }))).toBe('slice-not-proven: x5c');
    expect(refusal(await makeChallenge(acme, {}, { x5c: ders.slice(0, 2).toReversed() }))).toContain(
      'slice-not-proven',
    );
  });

  it('under a root that is not pinned is refused with a code of its own', async () => {
    const other = await makeRoot('Another provider');
    expect(refusal(await makeChallenge(acme), { roots: [other.certificate] })).toBe(
      'slice-root-unknown: intermediate: unknown-root',
    );
    expect(refusal(await makeChallenge(acme), { roots: [] })).toContain('slice-root-unknown');
  });

  it('under a self-made root with the name of the pinned one is refused', async () => {
    const impostor = await makeCustomer(await makeRoot());
    const jws = await makeChallenge({ ...impostor, helloBytes: acme.helloBytes });
    expect(refusal(jws)).toBe('slice-not-proven: intermediate: signature');
    // Even with a YubiKey certificate of the impostor's own.
    expect(refusal(jws, { keyCertificate: impostor.enrollmentKey.certificate })).toContain('slice-not-proven');
  });

  it('signed with a certificate that is out of date is refused', async () => {
    const past = { notBefore: new Date(NOW.getTime() - 3 * DAY), notAfter: new Date(NOW.getTime() - DAY) };
    const gateway = await makeGateway(acme.intermediate, past);
    expect(refusal(await makeChallenge(acme, {}, chainOf(gateway, acme.intermediate)))).toBe(
      'slice-not-proven: leaf: expired',
    );
    // Turning back the time in the challenge does not help: the clocks then differ too much.
    const turnedBack = {
      serverTime: new Date(NOW.getTime() - 2 * DAY).toISOString(),
      expiresAt: new Date(NOW.getTime() + DAY).toISOString(),
    };
    const early = await makeEnrollmentKey(acme.intermediate, { notBefore: past.notBefore });
    const root = acme.root.certificate;
    expect(root.notBefore > new Date(turnedBack.serverTime)).toBe(true);
    expect(
      refusal(await makeChallenge(acme, turnedBack, chainOf(gateway, acme.intermediate)), {
        keyCertificate: early.certificate,
      }),
    ).toContain('not-yet-valid');
  });

  it('tells when it is the key’s certificate that is out of date', async () => {
    const past = { notBefore: new Date(NOW.getTime() - 3 * DAY), notAfter: new Date(NOW.getTime() - DAY) };
    const old = await makeEnrollmentKey(acme.intermediate, past);
    expect(refusal(await makeChallenge(acme), { keyCertificate: old.certificate })).toBe(
      'key-certificate-invalid: leaf: expired',
    );
  });

  it.each([
    [-10, 'taken'],
    [10, 'taken'],
    [-11, "clock-skew: the slice's clock is 11 minutes behind ours"],
    [11, "clock-skew: the slice's clock is 11 minutes ahead of ours"],
  ])('from a clock that is %i minutes ahead: %s', async (minutes, outcome) => {
    const serverTime = new Date(NOW.getTime() + minutes * 60_000);
    const expiresAt = new Date(serverTime.getTime() + 300_000).toISOString();
    const jws = await makeChallenge(acme, { serverTime: serverTime.toISOString(), expiresAt });
    expect(refusal(jws)).toBe(outcome);
    if (outcome === 'taken') expect(open(jws).skewMs).toBe(minutes * 60_000);
  });

  it('from a clock before the issue of the key’s certificate is a matter of the clock, not of the key', async () => {
    const serverTime = new Date(NOW.getTime() - 20 * 60_000);
    const expiresAt = new Date(serverTime.getTime() + 300_000).toISOString();
    const jws = await makeChallenge(acme, { serverTime: serverTime.toISOString(), expiresAt });
    const { certificate } = await makeEnrollmentKey(acme.intermediate, { notBefore: NOW });
    expect(refusal(jws, { keyCertificate: certificate })).toBe(
      "clock-skew: the slice's clock is 20 minutes behind ours",
    );
  });

  it('that was over when it was made is refused', async () => {
    expect(refusal(await makeChallenge(acme, { expiresAt: NOW.toISOString() }))).toBe(
      'slice-not-proven: already expired when it was issued',
    );
  });

  it.each([
    ['a grant', { typ: 'kiwi-grant+jws' }, 'another typ'],
    ['no JSON', { payload: 'hello' }, 'not JSON'],
    ['an unknown field', { payload: '{"protocol":"kiwi/1","more":1}' }, 'sessionId: invalid_type'],
  ])('that is %s is refused', async (_what, sign, detail) => {
    expect(refusal(await makeChallenge(acme, {}, sign))).toContain(`slice-not-proven: ${detail}`);
  });

  it.each(['', '<html>Welcome to the hotel</html>', 'a.b.c', '{}'])('is not %j', (jws) => {
    expect(refusal(jws)).toContain('slice-not-proven');
  });
});

describe('after the customer’s intermediate was replaced, a challenge', () => {
  const HOUR = 3_600_000;
  const at = (hours: number): Date => new Date(NOW.getTime() + hours * HOUR);

  it('of the new one says that the key is behind, and a later key is refused as before', async () => {
    const next = await makeIntermediate(acme.root, undefined, { notBefore: at(-12) });
    const jws = await makeChallenge(acme, {}, chainOf(await makeGateway(next), next));
    const of = async (notBefore: Date): Promise<string> => {
      const { certificate } = await makeEnrollmentKey(acme.intermediate, { notBefore });
      return refusal(jws, { keyCertificate: certificate }).split(':')[0] ?? '';
    };
    expect(await of(at(-20))).toBe('key-certificate-replaced');
    // Signed after the intermediate that is shown: it is that one which is behind, or a thief's.
    expect(await of(at(13))).toBe('slice-not-proven');
  });

  it('of the old one is refused before anything else, where the root has taken it back', async () => {
    const list = await issueRevocationList({
      ...{ issuer: acme.root.certificate, signer: keySigner(acme.root.key), number: 1 },
      ...{ thisUpdate: NOW, nextUpdate: at(1) },
      revoked: [{ serialHex: acme.intermediate.certificate.serialHex, at: NOW, reason: 'key-compromise' }],
    });
    expect(refusal(await makeChallenge(acme), { revoked: [list] })).toMatch(/^slice-revoked/u);
    expect(refusal(await makeChallenge(acme), { revoked: [] })).toBe('taken');
  });
});
