import { verify } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import type { FoundKey } from '../../local-api/messages.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { enrollmentKeyOn } from '../../token/enrollment-key.ts';
import { PIV_SLOTS } from '../../token/piv-slot.ts';
import type { EnrollmentKey, EnrollmentToken } from '../../token/token.ts';
import type { Conversation } from './serve-caller.ts';

/**
 * The YubiKey of the caller. It is read, asked for PIN and touch, and signs in the caller's session; what comes from there is checked
 * here as if it came from the key, so that a caller can do no more than a person with that key.
 */
export function remoteToken({ ask, signal }: Conversation): EnrollmentToken {
  return {
    find: async ({ serial, waitMs, signal: given = signal } = {}) => {
      const wanted = { ...(serial === undefined ? {} : { serial }), ...(waitMs === undefined ? {} : { waitMs }) };
      const answer = await ask({ what: 'find', ...wanted }, given);
      if (answer.what !== 'find') throw unasked();
      const key = attested(answer.key);
      if (serial !== undefined && key.serial !== serial) throw new KiwiError('key-other');
      return key;
    },
    pinTries: async () => {
      const answer = await ask({ what: 'pin-tries' }, signal);
      if (answer.what !== 'pin-tries') throw unasked();
      return { state: answer.state };
    },
    sign: async (key, data, { validMs, signal: given = signal }) => {
      const left = Math.max(0, Math.floor(validMs?.() ?? 0));
      const answer = await ask({ what: 'sign', data: Buffer.from(data).toString('base64'), validMs: left }, given);
      if (answer.what !== 'sign') throw unasked();
      const signature = Buffer.from(answer.signature, 'base64');
      const { spki } = parseCertificate(key.attestation);
      const hash = key.algorithm === 'ES384' ? 'sha384' : 'sha256';
      const publicKey = { key: spki, format: 'der', type: 'spki', dsaEncoding: 'ieee-p1363' } as const;
      if (!verify(hash, data, publicKey, signature)) throw new KiwiError('key-signature-invalid');
      return signature;
    },
    close: () => Promise.resolve(),
  };
}

function attested({ serial, slot, certificate, attestation, attestationIssuer }: FoundKey): EnrollmentKey {
  const known = PIV_SLOTS.find((name) => name === slot);
  const reading = { reader: '', serial, firmware: '0.0.0', pin: 'ok', attestationIssuer } as const;
  const key =
    known === undefined
      ? undefined
      : enrollmentKeyOn({ ...reading, slots: [{ slot: known, certificate, attestation }] });
  if (key === undefined) throw new KiwiError('key-not-enrolled');
  return key;
}

const unasked = (): KiwiError => new KiwiError('agent-message-invalid', { detail: 'an answer to another question' });
