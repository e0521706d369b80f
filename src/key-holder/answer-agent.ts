import { KiwiError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import type { KeyAnswer, KeyQuestion } from '../local-api/messages.ts';
import type { EnrollmentKey, EnrollmentToken, PinState, TokenEvents } from '../token/token.ts';
import { understandStatement } from './understand-statement.ts';

export interface KeyHolder {
  readonly openToken: () => Promise<EnrollmentToken>;
  readonly find: TokenEvents;
  /** The caller of the token clears the PIN. */
  readonly askPin: (key: { serial: number; state: PinState; refused?: KiwiError }) => Promise<SecretBytes>;
  readonly touchExpected: () => void;
  readonly touched: () => void;
  /** Milliseconds from any beginning; monotonic. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Answers what the agent asks of the YubiKey here. `close` ends the token host. */
export function answerAgent(holder: KeyHolder): {
  readonly answer: (question: KeyQuestion) => Promise<KeyAnswer>;
  readonly close: () => Promise<void>;
} {
  const { signal } = holder;
  let token: Promise<EnrollmentToken> | undefined;
  let key: EnrollmentKey | undefined;
  const inHand = (): EnrollmentKey => {
    if (key === undefined) throw new KiwiError('key-absent');
    return key;
  };
  const answer = async (question: KeyQuestion): Promise<KeyAnswer> => {
    token ??= holder.openToken();
    const opened = await token;
    switch (question.what) {
      case 'find': {
        const { serial, waitMs } = question;
        const wanted = { ...(serial === undefined ? {} : { serial }), ...(waitMs === undefined ? {} : { waitMs }) };
        key = await opened.find({ ...wanted, events: holder.find, signal });
        const { slot, certificate, attestation, attestationIssuer } = key;
        return {
          what: 'find',
          key: {
            serial: key.serial,
            slot,
            certificate: certificate.der.toString('base64'),
            attestation: attestation.toString('base64'),
            attestationIssuer: attestationIssuer.toString('base64'),
          },
        };
      }
      case 'pin-tries':
        return { what: 'pin-tries', ...(await opened.pinTries(inHand())) };
      case 'sign': {
        const signer = inHand();
        const data = Buffer.from(question.data, 'base64');
        understandStatement(data, signer);
        const until = holder.now() + question.validMs;
        const signature = await opened.sign(signer, data, {
          askPin: async (state, refused) => {
            const pin = await holder.askPin({
              serial: signer.serial,
              state,
              ...(refused === undefined ? {} : { refused }),
            });
            if (holder.now() < until) return pin;
            pin.clear();
            throw new KiwiError('session-expired');
          },
          onTouchExpected: () => {
            holder.touchExpected();
          },
          onTouched: () => {
            holder.touched();
          },
          signal,
        });
        return { what: 'sign', signature: Buffer.from(signature).toString('base64') };
      }
    }
  };
  const close = async (): Promise<void> => {
    const opened = await token?.catch(() => undefined);
    await opened?.close();
  };
  return { answer, close };
}
