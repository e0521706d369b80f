import { z } from 'zod';

import { challengeMembers } from './challenge.ts';
import { digestText, text, timestamp, uuid } from './common.ts';
import { message } from './extensions.ts';
import { helloMembers } from './hello.ts';
import { laptopMembers } from './statement.ts';

/**
 * `POST /v1/claims`: the first message of a laptop that a token vouches for. The id is random, so that it can be said aloud: it is no
 * serial number that one could guess, and proves nothing.
 */
export const claimHello = message({ ...helloMembers, tokenId: uuid });
export type ClaimHello = z.infer<typeof claimHello>;

/**
 * The answer: a challenge, `typ` kiwi-claim-challenge+jws, that the gateway signs as any other, with a second proof that only whoever
 * has the token can check. A gateway that does not know the token answers in the same way, with a proof that nobody can check.
 */
export const claimChallenge = message({
  ...challengeMembers,
  /** pki/claim-token.ts */
  tokenProof: digestText,
});
export type ClaimChallenge = z.infer<typeof claimChallenge>;

/**
 * What takes the place of a statement: compact JWS, `typ` kiwi-claim+jws, by the device key (`jwk`), inside a JWE to the session's key.
 */
export const claim = message({
  ...laptopMembers,
  /** That the sender has the token: pki/claim-token.ts. The token's secret itself is never sent. */
  tokenProof: digestText,
  /** Which image the laptop was made from, for the record. */
  image: text(100).optional(),
  timestamp,
});
export type Claim = z.infer<typeof claim>;
