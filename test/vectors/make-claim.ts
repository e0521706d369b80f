import { base64url, digest } from '../../src/core/bytes.ts';
import { challengeProof, claimKey, claimProof } from '../../src/pki/claim-token.ts';
import { signCompact } from '../../src/pki/jws.ts';
import { publicJwk } from '../../src/pki/keys.ts';
import { bootstrap, type Bootstrap } from '../../src/protocol/bootstrap.ts';
import type { Challenge } from '../../src/protocol/challenge.ts';
import {
  claim as claimSchema,
  claimChallenge,
  claimHello,
  type Claim,
  type ClaimChallenge,
} from '../../src/protocol/claim.ts';
import { TYP } from '../../src/protocol/common.ts';
import type { Hello } from '../../src/protocol/hello.ts';
import type { Statement } from '../../src/protocol/statement.ts';
import { wireguardProof } from '../../src/pki/wireguard-proof.ts';
import { x25519PrivateKey } from '../../src/pki/x25519.ts';
import { fileDeviceKey } from '../../src/laptop/system/device-key.ts';
import { deriveWireguardKey } from '../../src/laptop/tunnel/wireguard-key.ts';
import { keepingSigner, keepJwe, signatureOf, textAt } from './keep.ts';
import { SLUG, type Certificates } from './make-certificates.ts';
import { compactParts, fixed, type makeExchange } from './make-exchange.ts';
import { testKey } from './test-keys.ts';

const TOKEN_ID = '3f0c1e5a-6a1f-4b0e-9d55-0c7f6f1d2b11';

/** The same laptop, claimed with a token: the messages that differ from an enrollment's. */
export async function makeClaim(
  certificates: Certificates,
  exchange: Awaited<ReturnType<typeof makeExchange>>,
  previous: unknown,
) {
  const device = testKey('device');
  const secret = fixed('token secret');
  const key = claimKey(secret, TOKEN_ID);
  const token: Bootstrap = bootstrap.parse({
    ...{ version: 1, tokenId: TOKEN_ID, secret: base64url(secret), gateway: 'https://enroll.acme.example' },
    ...{ customer: { slug: SLUG, name: 'Acme GmbH' }, role: 'engineer', serial: 'PF3ABCDE' },
    ...{ root: digest(certificates.mspRoot.der), expiresAt: '2026-09-01T00:00:00.000Z' },
  } satisfies Bootstrap);
  const hello = JSON.stringify(claimHello.parse({ ...(JSON.parse(exchange.hello.bytes) as Hello), tokenId: TOKEN_ID }));
  const asked = JSON.parse(exchange.challenge.payload) as Challenge;
  const helloHash = digest(hello);
  const tokenProof = challengeProof(key, { ...asked, helloHash, gateway: certificates.gateway });
  const offered = claimChallenge.parse({ ...asked, helloHash, tokenProof } satisfies ClaimChallenge);
  const challenge = await signCompact({
    ...{ typ: TYP.claimChallenge, payload: JSON.stringify(offered) },
    signer: keepingSigner(testKey('gateway'), signatureOf(textAt(previous, 'challenge', 'jws'))),
    x5c: [certificates.gateway.der, certificates.intermediate.der],
  });
  const challengeHash = digest(challenge);
  const { privateKey, publicKey: wireguardPublicKey } = await deriveWireguardKey({
    ...{ deviceKey: fileDeviceKey(device, 'device.key'), slug: SLUG, generation: 0 },
  });
  const own = x25519PrivateKey(privateKey.bytes);
  const { yubikey: _, ...said } = JSON.parse(exchange.statement.payload) as Statement;
  const content = claimSchema.parse({
    ...{ ...said, challengeHash, tokenProof: claimProof(key, challengeHash), image: 'kiwistack-base 1' },
    wireguardProof: wireguardProof({ own, other: asked.proofKey, challengeHash, wireguardPublicKey }),
  } satisfies Claim);
  const payload = JSON.stringify(content);
  const jws = await signCompact({
    ...{ typ: TYP.claim, payload, jwk: publicJwk(device) },
    signer: keepingSigner(device, signatureOf(textAt(previous, 'claim', 'jws'))),
  });
  const jwe = await keepJwe(testKey('session'), jws, TYP.claimEncrypted, textAt(previous, 'claim', 'jwe'));
  return {
    token: JSON.stringify(token),
    key: key.toString('hex'),
    hello: { bytes: hello, helloHash },
    challenge: { ...compactParts(challenge, JSON.stringify(offered)), challengeHash },
    claim: { ...compactParts(jws, payload, 'device'), recipient: 'session', jwe, statementHash: digest(jwe) },
  };
}
