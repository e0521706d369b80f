import { randomBytes, randomUUID } from 'node:crypto';

import { base64url, digest } from '../../../src/core/bytes.ts';
import { claimKey, claimProof } from '../../../src/pki/claim-token.ts';
import { encryptTo } from '../../../src/pki/jwe.ts';
import { openCompact, signCompact } from '../../../src/pki/jws.ts';
import { publicJwk } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { claimChallenge, type Claim, type ClaimChallenge, type ClaimHello } from '../../../src/protocol/claim.ts';
import { LIMITS, MEDIA, TYP } from '../../../src/protocol/common.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import { newHello, saidOf, type Answer, type GatewayHand, type Laptop } from './test-laptop.ts';

/** A token as the laptop has it. */
export interface TestToken {
  readonly id: string;
  readonly secret: Buffer;
}

export const newToken = (): TestToken => ({ id: randomUUID(), secret: randomBytes(32) });

/** What the slice is told of it. */
export const tokenFor = (token: TestToken, laptop: Pick<Laptop, 'machine'>) => ({
  id: token.id,
  serial: String(laptop.machine['system-serial']),
  uuid: String(laptop.machine.uuid),
  model: null,
  endorsement: null,
  key: base64url(claimKey(token.secret, token.id)),
});

export interface StartedClaim {
  readonly laptop: Laptop;
  readonly token: TestToken;
  readonly jws: string;
  readonly content: ClaimChallenge;
  claim: Claim;
}

export const newClaimHello = (laptop: Laptop, token: TestToken): ClaimHello => ({
  ...newHello(laptop),
  tokenId: token.id,
});

export const sendClaimHello = (gateway: GatewayHand, hello: ClaimHello): Promise<Answer> =>
  gateway.send('POST', '/v1/claims', MEDIA.json, JSON.stringify(hello));

export const sendClaim = (gateway: GatewayHand, sessionId: string, jwe: string): Promise<Answer> =>
  gateway.send('PUT', `/v1/claims/${sessionId}/statement`, MEDIA.jose, jwe);

export function readClaimChallenge(jws: string): ClaimChallenge {
  const { payload } = openCompact(jws, TYP.claimChallenge);
  return parseMessage(claimChallenge, payload, LIMITS.challenge, 'gateway-answer-invalid');
}

/** A claim up to its message, which tests change as they like before it is sealed. */
export async function startClaim(
  gateway: GatewayHand,
  laptop: Laptop,
  token: TestToken,
  more: Partial<ClaimHello> = {},
): Promise<StartedClaim> {
  const answer = await sendClaimHello(gateway, { ...newClaimHello(laptop, token), ...more });
  if (answer.status !== 200) throw new Error(answer.body);
  const jws = answer.body;
  const content = readClaimChallenge(jws);
  const tokenProof = claimProof(claimKey(token.secret, token.id), digest(jws));
  return { laptop, token, jws, content, claim: { ...(await saidOf(laptop, { jws, content })), tokenProof } };
}

export async function sealClaim({ claim, content, laptop }: StartedClaim): Promise<string> {
  const jws = await signCompact({
    ...{ typ: TYP.claim, payload: JSON.stringify(claim) },
    ...{ signer: keySigner(laptop.deviceKey), jwk: publicJwk(laptop.deviceKey) },
  });
  return encryptTo(content.encryptionKey, jws, TYP.claimEncrypted);
}
