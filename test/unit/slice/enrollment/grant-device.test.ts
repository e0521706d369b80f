import { expect, test } from 'vitest';

import { digest } from '../../../../src/core/bytes.ts';
import { grantDevice, type Entrance } from '../../../../src/slice/enrollment/grant-device.ts';
import type { KnownSession, Outcome } from '../../../../src/slice/registry/registry.ts';
import type { SliceContext } from '../../../../src/slice/slice-context.ts';

const request = { requestId: 'r', remote: 'a', action: 'enrollment.grant' };

const ANYBODY: Entrance = { isOf: () => true, admit: () => Promise.reject(new Error('not asked')) };

/** A slice that has granted a statement with these bytes. */
const sliceThatGranted = (bytes: Buffer): SliceContext => {
  const session: Partial<KnownSession> = { id: 's', attemptId: 'a' };
  const outcome: Partial<Outcome> = { deviceId: 'd', statementHash: digest(bytes), state: 'granted', grant: 'grant' };
  return {
    registry: { findSession: () => Promise.resolve(session), findOutcome: () => Promise.resolve(outcome) },
  } as unknown as SliceContext;
};

// The same characters in ISO 8859-1 and in UTF-8: a body that is decoded before it is hashed would be taken for the
// other one.
const [latin, utf8] = [Buffer.from('é', 'latin1'), Buffer.from('é', 'utf8')];

test.each([
  ['of one byte', latin, utf8],
  ['of two bytes', utf8, latin],
])('a statement is recognized by the bytes received: "é" %s', async (_name, sent, other) => {
  await expect(grantDevice(sliceThatGranted(sent), 's', sent, { ...request }, ANYBODY)).resolves.toBe('grant');
  await expect(grantDevice(sliceThatGranted(sent), 's', other, { ...request }, ANYBODY)).rejects.toMatchObject({
    code: 'attempt-conflict',
  });
});
