import { KiwiError } from '../../../core/errors.ts';
import { claimKey } from '../../../pki/claim-token.ts';
import { buildClaim } from '../../exchange/build-statement.ts';
import { abandonSession, giveUpDevice, requestGrant } from '../ask-for-grant.ts';
import { describeSelf } from '../describe-self.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';

/** How often a laptop that waits for an operator asks. */
const ASK_AGAIN_MS = 15_000;

/**
 * Claims the laptop with its token. The claim is saved before it is sent: after a crash or a lost reply, and while an operator has to
 * decide, the same bytes are sent again.
 */
export const claim: EnrollmentStep = {
  name: 'claim',
  title: 'Claim this laptop',
  inspect: ({ exchange }) => Promise.resolve(exchange.grant === undefined ? 'absent' : 'done'),

  async apply(run) {
    if (run.exchange.statement === undefined) {
      const signed = await signClaim(run).catch(async (error: unknown) => {
        await abandonSession(run);
        throw error;
      });
      await run.saveExchange({ statement: signed });
    }
    try {
      await requestGrant(run, run.signal, 0);
      return undefined;
    } catch (error) {
      if (!(error instanceof KiwiError) || error.code !== 'claim-waits') throw error;
      const until = run.options.clock.now() + ASK_AGAIN_MS;
      const { code } = run.opened();
      return { then: 'wait', for: `an operator, who compares the code ${code}`, code, until };
    }
  },

  // The next step checks whether the grant matches the request; until then nothing in it is used.
  verify: () => Promise.resolve(),

  undo: giveUpDevice,
};

async function signClaim(run: EnrollmentRun): Promise<string> {
  const { bootstrap } = run;
  if (bootstrap === undefined) throw new TypeError('a claim has a token');
  const { secret, tokenId, image } = bootstrap;
  const tokenKey = claimKey(Buffer.from(secret, 'base64url'), tokenId);
  return buildClaim({ ...(await describeSelf(run)), tokenKey, image });
}
