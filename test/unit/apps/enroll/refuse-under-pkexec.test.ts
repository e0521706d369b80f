import { expect, it } from 'vitest';

import { refuseUnderPkexec } from '../../../../src/apps/enroll/refuse-under-pkexec.ts';

it('takes other roots from whoever is root, and not from whoever asked polkit', () => {
  const flags = { mspRoots: '/tmp/evil.pem' };
  expect(() => refuseUnderPkexec(flags, { PKEXEC_UID: '1000' })).toThrow(
    expect.objectContaining({ code: 'usage', exitCode: 2, detail: '--msp-roots is not accepted under pkexec' }),
  );
  refuseUnderPkexec(flags, { SUDO_UID: '1000' });
  refuseUnderPkexec({}, { PKEXEC_UID: '1000' });
});
