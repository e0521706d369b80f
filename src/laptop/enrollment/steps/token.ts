import { randomUUID } from 'node:crypto';

import type { EnrollmentStep } from '../enrollment-run.ts';

/**
 * Reads whose laptop this becomes and begins the record. Whether the token is this laptop's, the slice decides: it knows of a mainboard
 * that was changed, and its operators should know of a disk that was. A crash here leaves at most a record without an exchange, which the
 * next run overwrites.
 */
export const token: EnrollmentStep = {
  name: 'token',
  title: 'Read the token',
  inspect: (run) => Promise.resolve(run.recordIfAny?.exchange?.statement === undefined ? 'absent' : 'done'),

  async apply(run) {
    const { bootstrap, options } = run;
    if (bootstrap === undefined) throw new TypeError('a claim has a token');
    const { tokenId, customer, gateway, role, root } = bootstrap;
    run.forgetExchange();
    await run.begin({
      version: 1,
      state: 'enrolling',
      attemptId: randomUUID(),
      startedAt: new Date(options.clock.now()).toISOString(),
      claim: { tokenId, root },
      // It is its customer's, and nobody has an account on it yet.
      signIn: true,
      ...{ slug: customer.slug, customer: customer.name, gatewayUrl: gateway, role },
    });
  },

  verify: () => Promise.resolve(),
};
