import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { CallOptions } from '../../local-api/agent-client.ts';
import type { LentKey, Question } from '../../local-api/messages.ts';
import type { Person } from '../enrollment/person.ts';
import { findKey } from '../enrollment/find-key.ts';
import { readStatement, type StatementReading } from '../exchange/read-statement.ts';
import type { Certificate } from '../../pki/certificate.ts';
import type { EnrollmentKey, Token } from '../../token/token.ts';

export interface Lending {
  readonly token: Token;
  readonly person: Person;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly roots: readonly Certificate[];
  readonly yubikeySerial?: number;
  readonly waitForKeyMs?: number;
  /** What the person has been shown. */
  readonly shown: () => StatementReading | undefined;
}

type SignatureQuestion = Extract<Question, { ask: 'signature' }>;

/**
 * Answers the agent with the YubiKey in this session: it waits for the key and reads it, and signs one statement, after it has seen for
 * itself that it is one for the customer and with the session code that the person has been shown.
 */
export function lendKey(lending: Lending): NonNullable<CallOptions['answer']> {
  let key: EnrollmentKey | undefined;
  return async (question) => {
    if (question.ask === 'key') {
      key = await findKey(lending, lending.token);
      return { type: 'key', key: readingOf(key, (await lending.token.pinTries(key)).state) };
    }
    if (question.ask !== 'signature') throw new KiwiError('lent-key-misused', { detail: 'it asks for something else' });
    if (key === undefined) throw new KiwiError('lent-key-misused', { detail: 'no key has been lent yet' });
    const signature = await sign(lending, key, question);
    return { type: 'signature', signature: Buffer.from(signature).toString('base64') };
  };
}

async function sign(lending: Lending, key: EnrollmentKey, question: SignatureQuestion): Promise<Uint8Array> {
  const { token, person, clock, signal, roots } = lending;
  const data = Buffer.from(question.data, 'base64');
  const hello = Buffer.from(question.hello, 'base64');
  const read = readStatement(data, { ...question, hello, key, roots, now: clock.now() });
  const shown = lending.shown();
  if (shown?.code !== read.code || shown.customer !== read.customer) {
    throw new KiwiError('lent-key-misused', { detail: 'it is not for what was shown on this screen' });
  }
  const until = clock.monotonic() + question.expiresInMs;
  return token.sign(key, data, {
    askPin: async (state, refused) => {
      const pin = await person.askPin({ serial: key.serial, state, ...(refused === undefined ? {} : { refused }) });
      if (clock.monotonic() < until) return pin;
      pin.clear();
      throw new KiwiError('session-expired');
    },
    onTouchExpected: () => {
      person.touchExpected();
    },
    onTouched: () => {
      person.touched();
    },
    signal,
  });
}

function readingOf(key: EnrollmentKey, pin: LentKey['pin']): LentKey {
  return {
    serial: key.serial,
    slot: key.slot,
    certificate: key.certificate.der.toString('base64'),
    attestation: key.attestation.toString('base64'),
    attestationIssuer: key.attestationIssuer.toString('base64'),
    pin,
  };
}
