import { randomUUID } from 'node:crypto';

import { KiwiError } from '../../../core/errors.ts';
import { enrollmentNames } from '../../../pki/roles.ts';
import type { EnrollmentKey } from '../../../token/token.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';
import { findKey } from '../find-key.ts';

/**
 * Finds the key, reads the customer from its certificate and begins the record. A crash here leaves at most a record without
 * an exchange, which the next run overwrites.
 */
export const key: EnrollmentStep = {
  name: 'key',
  title: 'Find the YubiKey',
  // Once the statement is signed, the key is no longer needed: nobody is asked for a second touch.
  inspect: (run) => Promise.resolve(run.recordIfAny?.exchange?.statement === undefined ? 'absent' : 'done'),

  async apply(run) {
    const { person, clock } = run.staff;
    const token = await run.token();
    const found = await findKey(run.staff, token);
    const identity = identityOf(found);
    // Better now than after everything else: with a locked PIN the key cannot sign.
    if ((await token.pinTries(found)).state === 'locked') throw new KiwiError('pin-locked');
    run.key = found;
    run.forgetExchange();
    await run.begin({
      version: 1,
      state: 'enrolling',
      attemptId: randomUUID(),
      startedAt: new Date(clock.now()).toISOString(),
      yubikeySerial: found.serial,
      ...('signIn' in run.options && run.options.signIn ? { signIn: true } : {}),
      ...identity,
    });
    person.keyFound({ serial: found.serial, role: identity.role, customer: identity.customer });
  },

  verify: () => Promise.resolve(),
};

function identityOf(found: EnrollmentKey): { slug: string; gatewayUrl: string; role: string; customer: string } {
  const names = enrollmentNames(found.certificate.sanUris);
  const { ou: role, o: customer } = found.certificate.subject;
  if (names === undefined || role === undefined || customer === undefined) {
    throw new KiwiError('key-certificate-invalid', { detail: 'it does not name customer, role and gateway' });
  }
  return { ...names, role, customer };
}
