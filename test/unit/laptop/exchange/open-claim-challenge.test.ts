import { randomBytes, randomUUID } from 'node:crypto';

import { beforeAll, expect, test } from 'vitest';

import { base64url, digest } from '../../../../src/core/bytes.ts';
import { toKiwiError } from '../../../../src/core/errors.ts';
import { openClaimChallenge } from '../../../../src/laptop/exchange/open-challenge.ts';
import { challengeProof, claimKey, claimProof } from '../../../../src/pki/claim-token.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { publicJwk } from '../../../../src/pki/keys.ts';
import { issueRevocationList } from '../../../../src/pki/revocation-list.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import type { ClaimChallenge } from '../../../../src/protocol/claim.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import {
  makeEnrollmentKey,
  makeGateway,
  makeIntermediate,
  makeRoot,
  NOW,
  type Authority,
} from '../../pki/test-authority.ts';
import * as examples from '../../protocol/examples.ts';
import { makeChallenge, makeCustomer, type Customer } from './exchange.ts';

// Who a laptop with a token may be talking to, other than the slice that knows its token.

const tokenId = randomUUID();
const tokenKey = claimKey(randomBytes(32), tokenId);

let acme: Customer;
let otherRoot: Authority;
beforeAll(async () => {
  [acme, otherRoot] = await Promise.all([makeCustomer(), makeRoot('Another provider')]);
});

interface Said {
  /** The key with which the proof is made. */
  readonly key: Uint8Array;
  readonly proof?: string;
  readonly changes: Partial<ClaimChallenge>;
  /** Who signs, with its intermediate. */
  readonly by: Authority;
  readonly under: Authority;
  readonly typ: string;
}

/** An answer to the laptop's hello, good unless something is said otherwise. */
async function answer(said: Partial<Said> = {}): Promise<string> {
  const { key = tokenKey, changes = {}, by = acme.gateway, under = acme.intermediate, typ = TYP.claimChallenge } = said;
  const { serverNonce } = examples.challenge;
  const helloHash = digest(acme.helloBytes);
  const tokenProof = said.proof ?? challengeProof(key, { helloHash, serverNonce, gateway: by.certificate });
  const content = {
    ...examples.challenge,
    helloHash,
    encryptionKey: publicJwk(acme.sessionKey),
    tokenProof,
    ...changes,
  };
  const x5c = [by.certificate.der, under.certificate.der];
  return makeChallenge(acme, {}, { typ, key: by.key, x5c, payload: JSON.stringify(content) });
}

type Input = Parameters<typeof openClaimChallenge>[0];

function outcome(jws: string, changes: Partial<Input> = {}): string {
  const { certificate } = acme.root;
  const asked = { helloBytes: acme.helloBytes, slug: 'acme', roots: [certificate], root: digest(certificate.der) };
  try {
    openClaimChallenge({ jws, ...asked, tokenKey, now: NOW.getTime(), ...changes });
    return 'taken';
  } catch (error) {
    const { code, detail } = toKiwiError(error);
    return detail === undefined ? code : `${code}: ${detail}`;
  }
}

test('the slice that knows the token is believed, and needs no second proof once it was', async () => {
  expect(outcome(await answer())).toBe('taken');
  expect(outcome(await answer({ key: randomBytes(32) }), { tokenKey: undefined })).toBe('taken');
});

test.each<[string, string, () => Promise<string>]>([
  [
    'a gateway of the customer that does not know the token',
    'claim-token-unknown',
    () => answer({ key: randomBytes(32) }),
  ],
  [
    'one that knows the proof that the laptop will send, and sends it back',
    'claim-token-unknown',
    () => answer({ proof: claimProof(tokenKey, digest(acme.helloBytes)) }),
  ],
  [
    'a second gateway, with the proof that the first one has given',
    'claim-token-unknown',
    async () => {
      const { serverNonce } = examples.challenge;
      const proof = challengeProof(tokenKey, {
        ...{ helloHash: digest(acme.helloBytes), serverNonce, gateway: acme.gateway.certificate },
      });
      return answer({ proof, by: await makeGateway(acme.intermediate) });
    },
  ],
  [
    'an answer of before, with another nonce',
    'claim-token-unknown',
    () => answer({ changes: { serverNonce: base64url(randomBytes(32)) } }),
  ],
  [
    'an answer to another hello',
    'claim-token-unknown',
    () => answer({ changes: { helloHash: digest('another hello') } }),
  ],
  [
    'an answer to another hello, by somebody who has the token',
    'slice-not-proven: answers another hello',
    () => {
      const helloHash = digest('another hello');
      const { serverNonce } = examples.challenge;
      const proof = challengeProof(tokenKey, { helloHash, serverNonce, gateway: acme.gateway.certificate });
      return answer({ proof, changes: { helloHash } });
    },
  ],
  ['a challenge for a YubiKey', 'slice-not-proven: another typ', () => answer({ typ: TYP.challenge })],
  [
    'a challenge without a second proof',
    'slice-not-proven: tokenProof: invalid_type',
    () => makeChallenge(acme, {}, { typ: TYP.claimChallenge }),
  ],
  [
    'another customer of this provider who has the token',
    "slice-not-proven: another customer than the intermediate's",
    async () => {
      const under = await makeIntermediate(acme.root, 'beta intermediate');
      return answer({ by: await makeGateway(under), under });
    },
  ],
  [
    'another customer, under its own name',
    "slice-not-proven: another customer than the intermediate's",
    () => answer({ changes: { customer: { slug: 'beta', name: 'Beta School' } } }),
  ],
  [
    'another provider',
    'slice-root-unknown: intermediate: unknown-root',
    async () => {
      const beta = await makeCustomer(otherRoot);
      return answer({ by: beta.gateway, under: beta.intermediate });
    },
  ],
  [
    'a self-made root with the name of the pinned one',
    'slice-not-proven: intermediate: signature',
    async () => {
      const twin = await makeCustomer(await makeRoot());
      return answer({ by: twin.gateway, under: twin.intermediate });
    },
  ],
  ['a YubiKey of the customer', 'slice-not-proven: role of the signer', () => answer({ by: acme.enrollmentKey })],
  [
    'whoever has the certificate of the gateway alone',
    'slice-not-proven: signature',
    async () => answer({ by: { ...acme.gateway, key: (await makeEnrollmentKey(acme.intermediate)).key } }),
  ],
  [
    'a certificate of before',
    'slice-not-proven: leaf: expired',
    async () => {
      const past = { notBefore: new Date(NOW.getTime() - 3 * DAY), notAfter: new Date(NOW.getTime() - DAY) };
      return answer({ by: await makeGateway(acme.intermediate, past) });
    },
  ],
  [
    'a clock that is wrong by an hour',
    "clock-skew: the slice's clock is 60 minutes ahead of ours",
    () => {
      const at = (ms: number): string => new Date(NOW.getTime() + ms).toISOString();
      return answer({ changes: { serverTime: at(3_600_000), expiresAt: at(3_900_000) } });
    },
  ],
  ['a page of the hotel', 'slice-not-proven', () => Promise.resolve('<html>Welcome</html>')],
])('refuses %s', async (_who, expected, said) => {
  expect(outcome(await said()).slice(0, expected.length)).toBe(expected);
});

test('believes the root that its token names and no other, also of those that are pinned', async () => {
  const beta = await makeCustomer(otherRoot);
  const jws = await answer({ by: beta.gateway, under: beta.intermediate });
  const both = [acme.root.certificate, otherRoot.certificate];
  expect(outcome(jws, { roots: both })).toContain('slice-root-unknown');
  expect(outcome(jws, { roots: both, root: digest(otherRoot.certificate.der) })).toBe('taken');
  // A token cannot bring a root with it.
  const root = digest(otherRoot.certificate.der);
  expect(outcome(jws, { root })).toContain('slice-root-unknown');
});

test('an intermediate that the root has taken back is refused, whatever it knows', async () => {
  const list = await issueRevocationList({
    ...{ issuer: acme.root.certificate, signer: keySigner(acme.root.key), number: 1 },
    ...{ thisUpdate: NOW, nextUpdate: new Date(NOW.getTime() + DAY) },
    revoked: [{ serialHex: acme.intermediate.certificate.serialHex, at: NOW, reason: 'key-compromise' }],
  });
  expect(outcome(await answer(), { revoked: [list] })).toContain('slice-revoked');
});

test('an answer with any other character is refused', async () => {
  const jws = await answer();
  for (let at = 0; at < jws.length; at += 97) {
    const changed = jws.slice(0, at) + (jws[at] === 'A' ? 'B' : 'A') + jws.slice(at + 1);
    expect([at, outcome(changed)]).not.toEqual([at, 'taken']);
  }
});
