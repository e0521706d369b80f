import { base64url } from '../../../core/bytes.ts';
import { KiwiError } from '../../../core/errors.ts';
import type { Signer } from '../../../pki/signer.ts';
import { wireguardProof } from '../../../pki/wireguard-proof.ts';
import { x25519PrivateKey } from '../../../pki/x25519.ts';
import type { EnrollmentKey } from '../../../token/token.ts';
import { buildStatement } from '../../exchange/build-statement.ts';
import { collectFingerprint } from '../../fingerprint/collect-fingerprint.ts';
import { describeHost } from '../../fingerprint/describe-host.ts';
import { forgetFarewell, takeLeave } from '../../standing/take-leave.ts';
import { deriveWireguardKey } from '../../tunnel/wireguard-key.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';
import type { KnownEnrollment } from '../known-enrollment.ts';

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

  /**
   * Deregisters, so that nothing is left at the slice either. For a confirmed device that cannot reach the slice now, the
   * deregistration stays pending.
   */
  async undo(run) {
    if (run.record.device === undefined) {
      if (run.record.exchange?.statement === undefined) return;
      try {
        // The reply may have been lost: the same bytes get the same grant, which names the device to deregister.
        if (run.record.exchange.grant === undefined) await requestGrant(run, AbortSignal.timeout(5000));
        await run.granted();
      } catch {
        return; // refused, unreachable, or not our grant: there is no device to deregister
      }
    }
    if (run.record.device?.confirmed === true) {
      if ((await takeLeave(run, 'enrollment-failed')) === 'told') await forgetFarewell(run);
      return;
    }
    try {
      const client = await run.client();
      await client.leave(await run.device(), 'enrollment-failed', AbortSignal.timeout(15_000));
    } catch {
      // An unconfirmed device that cannot be deregistered ends automatically when its time to confirm has passed.
    }
  },
};

/** An operator sees at once that nobody waits any more. Best effort: the session ends by itself after some minutes. */
async function abandonSession(run: KnownEnrollment): Promise<void> {
  try {
    const client = await run.client();
    await client.abandon(run.opened().challenge.sessionId, AbortSignal.timeout(3000));
  } catch {
    // What went wrong before matters more.
  }
}

async function requestGrant(run: KnownEnrollment, signal: AbortSignal): Promise<void> {
  const { statement: jwe } = run.exchange;
  if (jwe === undefined) throw new TypeError('nothing was signed yet');
  const client = await run.client();
  let grant: string;
  try {
    grant = await client.statement(run.opened().challenge.sessionId, jwe, signal);
  } catch (error) {
    if (error instanceof KiwiError && error.requestId !== undefined && !error.retryable) await run.forgetStatement();
    throw error;
  }
  await run.saveExchange({ grant });
}

async function signStatement(run: EnrollmentRun): Promise<string> {
  const { key, platform, options } = run;
  if (key === undefined) throw new TypeError('no key in hand');
  const opened = run.opened();
  const salt = Buffer.from(opened.challenge.fingerprintSalt, 'base64url');
  const [fingerprint, host, deviceKey] = await Promise.all([
    collectFingerprint(platform.hardware, salt),
    describeHost(platform.hardware),
    run.deviceKey(),
  ]);
  const { slug } = run.record;
  const wireguard = await deriveWireguardKey({ deviceKey, slug, generation: 0 });
  const proof = wireguardProof({
    own: x25519PrivateKey(wireguard.privateKey.bytes),
    other: opened.challenge.proofKey,
    challengeHash: base64url(opened.hash),
    wireguardPublicKey: wireguard.publicKey,
  });
  wireguard.privateKey.clear();
  return buildStatement({
    opened,
    key: { ...key, signer: await yubikeySigner(run, key) },
    deviceKey,
    wireguardPublicKey: wireguard.publicKey,
    wireguardProof: proof,
    tpmProof: run.tpmProof,
    fingerprint,
    host: { ...host, name: run.exchange.hostName },
    now: options.clock.now(),
  });
}

async function yubikeySigner(run: EnrollmentRun, key: EnrollmentKey): Promise<Signer> {
  const { person, signal } = run.options;
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
