import type { Bootstrap } from '../../../../src/protocol/bootstrap.ts';

/** What `kiwistack-operator batch create` writes for one laptop. */
export const BOOTSTRAP: Bootstrap = {
  version: 1,
  tokenId: '7d5f4d0e-3c57-4a0e-9d0c-2f8f6c3b1a90',
  secret: Buffer.alloc(32, 7).toString('base64url'),
  gateway: 'https://enroll.corp.example',
  customer: { slug: 'corp', name: 'Corp' },
  role: 'engineer',
  serial: 'PF3XK2AB',
  root: Buffer.alloc(32, 9).toString('base64url'),
  expiresAt: '2099-01-31T08:00:00.000Z',
};
