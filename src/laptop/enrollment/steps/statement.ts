import { KiwiError } from '../../../core/errors.ts';
import type { Signer } from '../../../pki/signer.ts';
import type { EnrollmentKey } from '../../../token/token.ts';
import { buildStatement } from '../../exchange/build-statement.ts';
import { abandonSession, giveUpDevice, requestGrant } from '../ask-for-grant.ts';
import { describeSelf } from '../describe-self.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';

/**
 * Asks for PIN and touch. The statement is saved before it is sent: after a crash or a lost reply the same bytes are sent
 * again and get the same grant, and nobody is asked for a second touch.
 */
export const statement: EnrollmentStep = {
  name: 'statement',
  title: 'Sign with the YubiKey',
  inspect: ({ exchange }) => Promise.resolve(exchange.grant === undefined ? 'absent' : 'done'),

  async apply(run) {
    if (run.exchange.statement === undefined) {
      const signed = await signStatement(run).catch(async (error: unknown) => {
        await abandonSession(run);
        throw error;
      });
      await run.saveExchange({ statement: signed });
    }
    await run.closeToken();
    await requestGrant(run, run.signal);
  },

  // The next step checks whether the grant matches the request; until then nothing in it is used.
  verify: () => Promise.resolve(),

  undo: giveUpDevice,
};

async function signStatement(run: EnrollmentRun): Promise<string> {
  const { key } = run;
  if (key === undefined) throw new TypeError('no key in hand');
  return buildStatement({ ...(await describeSelf(run)), key: { ...key, signer: await yubikeySigner(run, key) } });
}

async function yubikeySigner(run: EnrollmentRun, key: EnrollmentKey): Promise<Signer> {
  const { person, signal } = run.staff;
  const token = await run.token();
  return {
    alg: key.algorithm,
    sign: (data) =>
      token.sign(key, data, {
        occasion: {
          hello: run.exchange.hello,
          challenge: run.exchange.challenge,
          expiresInMs: new Date(run.opened().challenge.expiresAt).getTime() - run.sliceTime(),
        },
        askPin: async (state, refused) => {
          const pin = await person.askPin({ serial: key.serial, state, ...(refused === undefined ? {} : { refused }) });
          if (new Date(run.opened().challenge.expiresAt).getTime() <= run.sliceTime()) {
            pin.clear();
            throw new KiwiError('session-expired');
          }
          return pin;
        },
        onTouchExpected: () => {
          person.touchExpected();
        },
        onTouched: () => {
          person.touched();
        },
        signal,
      }),
  };
}
