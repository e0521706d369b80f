import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { base64url } from '../../../../src/core/bytes.ts';
import type { ErrorCode } from '../../../../src/core/error-codes.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { generateP256, publicJwk } from '../../../../src/pki/keys.ts';
import type { Challenge } from '../../../../src/protocol/challenge.ts';
import { slicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { loadAuthority, lookAlike, makeAuthority, type Authority } from '../forge.ts';
import type { Siege } from '../siege.ts';
import {
  faithlessSlice,
  gatewayCertificate,
  mintChallenge,
  mintGreen,
  ownIdentity,
  stolenIdentity,
  type ChallengeChanges,
  type GrantChanges,
  type SliceIdentity,
} from './false-slice.ts';
import { jose, onHello, onStatement, onStatus, serverCertificate, type Manners, type Told } from './interceptor.ts';

/** Something between the laptop and its slice, or at the slice, that the laptop must refuse. */
export interface LaptopAttack {
  readonly name: string;
  readonly code: ErrorCode;
  /** What the error's detail says: that it was refused for what the test bent. */
  readonly why?: RegExp;
  /** True when the person was asked for PIN and touch before it showed. */
  readonly signed: boolean;
  /** True when the genuine slice has granted and cannot be told otherwise: it takes the device back by itself. */
  readonly pending?: boolean;
  readonly manners?: (siege: Siege) => Manners | Promise<Manners>;
  /** The interceptor's TLS certificate, when it is not a trusted one. */
  readonly tls?: (siege: Siege) => ReturnType<typeof serverCertificate>;
  /** More arguments of `enroll`. */
  readonly args?: (siege: Siege) => Promise<string[]>;
}

const mspRoot = ({ world }: Siege): Authority => {
  const { msp } = slicePaths(world.sliceDir);
  return loadAuthority(msp.certificate, msp.key);
};

const text = (told: Told): string => (Buffer.isBuffer(told.body) ? told.body.toString() : '');

/** Changes the gateway's challenge. */
const challenge = (name: string, change: (jws: string) => string, why?: RegExp): LaptopAttack => ({
  name,
  code: 'slice-not-proven',
  ...(why === undefined ? {} : { why }),
  signed: false,
  manners: () => onHello(async (asked, pass) => jose(change(text(await pass(asked))))),
});

/** A challenge of somebody's own making. */
const minted = (
  name: string,
  code: ErrorCode,
  identity: (siege: Siege) => SliceIdentity | Promise<SliceIdentity>,
  changes: ChallengeChanges,
  why: RegExp,
): LaptopAttack => ({
  name,
  code,
  why,
  signed: false,
  manners: async (siege) => {
    const who = await identity(siege);
    return onHello(async (asked) => jose(await mintChallenge(who, asked.body, changes)));
  },
});

const flip = (segment: number, jws: string): string => {
  const segments = jws.split('.');
  const bytes = Buffer.from(segments[segment] ?? '', 'base64url');
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8((bytes[middle] ?? 0) ^ 1, middle);
  segments[segment] = base64url(bytes);
  return segments.join('.');
};

const withContent = (jws: string, change: (content: Challenge) => Challenge): string => {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const content = change(JSON.parse(Buffer.from(payload, 'base64url').toString()) as Challenge);
  return [header, base64url(Buffer.from(JSON.stringify(content))), signature].join('.');
};

const deviceOf = ({ victim }: Siege): Authority => ({
  certificate: parseCertificate(Buffer.from(victim.grant.certificate.chain[0] ?? '', 'base64url')),
  key: victim.exchange.deviceKey,
});

const DAY_MS = 86_400_000;

export const challengeAttacks: readonly LaptopAttack[] = [
  challenge('a bit of the challenge', (jws) => flip(1, jws), /^signature$/),
  challenge(
    'another encryption key in the challenge',
    (jws) => withContent(jws, (content) => ({ ...content, encryptionKey: publicJwk(generateP256()) })),
    /^signature$/,
  ),
  {
    name: 'the challenge of an earlier hello',
    code: 'slice-not-proven',
    why: /another hello/,
    signed: false,
    manners: ({ victim }) => onHello(() => Promise.resolve(jose(victim.exchange.challengeJws))),
  },
  minted(
    'a slice with the same names under another root of the same name',
    'slice-not-proven',
    async (siege) => ownIdentity(await lookAlike(mspRoot(siege).certificate, 1), 'acme', 'Acme GmbH'),
    {},
    /intermediate: signature/,
  ),
  minted(
    'a slice with the same names under another root',
    'slice-root-unknown',
    async () => ownIdentity(await makeAuthority({ cn: 'Mallory root' }, 1), 'acme', 'Acme GmbH'),
    {},
    /unknown-root/,
  ),
  minted(
    'the valid slice of another customer of the same provider',
    'slice-not-proven',
    (siege) => ownIdentity(mspRoot(siege), 'beta', 'Beta AG'),
    { content: { customer: { slug: 'beta', name: 'Beta AG' } } },
    /another issuer/,
  ),
  minted(
    'another customer of the same provider who calls himself as this one',
    // The root has vouched for him, so he looks like the customer's next intermediate. The key on the YubiKey is not of it: no PIN.
    'key-certificate-replaced',
    async (siege) => ownIdentity(mspRoot(siege), 'acme', 'Acme GmbH'),
    {},
    /not the customer's intermediate any more/,
  ),
  minted(
    'a challenge signed by an enrolled laptop',
    'slice-not-proven',
    (siege) => ({ signer: deviceOf(siege), intermediate: siege.intermediate }),
    {},
    /role of the signer/,
  ),
  minted(
    'a challenge signed by a YubiKey',
    'slice-not-proven',
    ({ otherKey, intermediate }) => ({
      signer: { certificate: otherKey.certificate, key: otherKey.privateKey },
      intermediate,
    }),
    {},
    /role of the signer/,
  ),
  minted(
    "a slice whose clock is a day behind the laptop's",
    'clock-skew',
    stolenIdentity,
    // Not a whole day: the certificates of this slice are younger than that, and are valid from the day before.
    { clockMs: -0.9 * DAY_MS },
    /behind/,
  ),
  minted(
    "a slice whose clock is a day ahead of the laptop's",
    'clock-skew',
    stolenIdentity,
    { clockMs: DAY_MS },
    /ahead/,
  ),
];

const html = '<!doctype html><title>Welcome</title><p>Please sign in to use this network.';
async function* endless(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(64 * 1024, 0x41);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const hello = (name: string, code: ErrorCode, told: Told): LaptopAttack => ({
  name,
  code,
  signed: false,
  manners: () => onHello(() => Promise.resolve(told)),
});

export const wayAttacks: readonly LaptopAttack[] = [
  hello('a sign-in page', 'gateway-answer-invalid', { status: 200, type: 'text/html', body: Buffer.from(html) }),
  hello('a sign-in page with status 511', 'gateway-answer-invalid', {
    status: 511,
    type: 'text/html',
    body: Buffer.from(html),
  }),
  hello('a redirect to a sign-in page', 'gateway-answer-invalid', {
    status: 302,
    type: 'text/html',
    body: Buffer.from(html),
  }),
  hello('an answer without end', 'gateway-answer-invalid', { status: 200, type: 'application/jose', body: endless() }),
  hello('an error without end', 'gateway-answer-invalid', { status: 403, type: 'application/json', body: endless() }),
  hello('an error code of its own making', 'slice-refused', {
    status: 403,
    type: 'application/json',
    body: Buffer.from(
      JSON.stringify({ code: 'call-this-number', message: 'm', hint: 'h', retryable: false, requestId: '1' }),
    ),
  }),
  {
    name: 'a TLS certificate of a CA that the laptop does not trust',
    code: 'gateway-tls',
    signed: false,
    tls: async () => serverCertificate(await makeAuthority({ cn: 'Mallory web CA' }, 0)),
  },
  {
    name: 'a trusted TLS certificate for another name',
    code: 'gateway-tls',
    why: /ALTNAME/,
    signed: false,
    tls: ({ world }) => {
      const { webCa } = slicePaths(world.sliceDir);
      return serverCertificate(loadAuthority(webCa.certificate, webCa.key), 'mallory.example');
    },
  },
  {
    name: 'the roots of another provider pinned',
    code: 'slice-root-unknown',
    why: /unknown-root/,
    signed: false,
    args: async ({ world }) => {
      const { certificate } = await makeAuthority({ cn: 'Another provider' }, 1);
      const file = path.join(world.dir, 'public', 'another-provider.pem');
      await writeFile(file, certificate.pem);
      return ['--msp-roots', file];
    },
  },
];

const granted = (
  name: string,
  changes: (siege: Siege) => GrantChanges | Promise<GrantChanges>,
  why: RegExp,
): LaptopAttack => ({
  name,
  code: 'grant-invalid',
  why,
  signed: true,
  manners: (siege) => faithlessSlice(siege, changes),
});

const route = (cidr: string): LaptopAttack =>
  granted(
    `a grant with a route to ${cidr}`,
    () => ({
      grant: (g) => ({ ...g, wireguard: { ...g.wireguard, allowedCidrs: [...g.wireguard.allowedCidrs, cidr] } }),
    }),
    /route/,
  );

export const grantAttacks: readonly LaptopAttack[] = [
  {
    name: 'a bit of the grant',
    code: 'grant-invalid',
    why: /decrypted/,
    signed: true,
    pending: true,
    manners: () => onStatement(async (asked, pass) => jose(flip(3, text(await pass(asked))))),
  },
  {
    name: 'the grant of another laptop',
    code: 'grant-invalid',
    why: /decrypted/,
    signed: true,
    manners: ({ victim }) => onStatement(() => Promise.resolve(jose(victim.grantJwe))),
  },
  granted(
    'a grant for another statement',
    ({ victim }) => ({ grant: (g) => ({ ...g, statementHash: victim.grant.statementHash }) }),
    /another statement/,
  ),
  granted('a grant signed by an enrolled laptop', (siege) => ({ signer: deviceOf(siege) }), /signed by another/),
  granted(
    'a grant signed by a second gateway of the same customer',
    async ({ intermediate }) => ({ signer: await gatewayCertificate(intermediate, 'acme', 'Acme GmbH') }),
    /signed by another/,
  ),
  route('0.0.0.0/0'),
  granted(
    'a grant with a root of its own for the trust store',
    async () => {
      const { certificate } = await makeAuthority({ cn: 'Mallory root' }, 1);
      const root = base64url(certificate.der);
      return {
        grant: (g) => ({ ...g, certificate: { ...g.certificate, trustRoots: [...g.certificate.trustRoots, root] } }),
      };
    },
    /not pinned/,
  ),
  granted(
    'a grant with a certificate for another key',
    () => ({ certificate: { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey } }),
    /another key/,
  ),
  granted(
    'a grant with a certificate for a year',
    () => ({ certificate: { notAfter: new Date(Date.now() + 365 * DAY_MS) } }),
    /life/,
  ),
  granted(
    'a grant with a certificate for another role',
    () => ({ certificate: { subject: { cn: 'ada', o: 'Acme GmbH', ou: 'administrator' } } }),
    /subject/,
  ),
];

/** The gateway's answer about a device, once everything is in place: nobody else says `green` or `ended`. */
export const answerAttacks: readonly LaptopAttack[] = [
  {
    name: 'green, said by an enrolled laptop',
    code: 'slice-not-proven',
    why: /role of the signer/,
    signed: true,
    manners: (siege) =>
      onStatus(async (asked) =>
        jose(await mintGreen({ signer: deviceOf(siege), intermediate: siege.intermediate }, asked)),
      ),
  },
  {
    name: 'green, said by the slice to an earlier question',
    code: 'slice-not-proven',
    why: /another request/,
    signed: true,
    manners: (siege) =>
      onStatus(async (asked) =>
        jose(await mintGreen(stolenIdentity(siege), { ...asked, body: Buffer.from('an.earlier.question') })),
      ),
  },
  {
    name: 'green, by an unsigned answer',
    code: 'gateway-answer-invalid',
    signed: true,
    manners: () =>
      onStatus(() =>
        Promise.resolve({ status: 200, type: 'application/json', body: Buffer.from('{"state":"active"}') }),
      ),
  },
];
