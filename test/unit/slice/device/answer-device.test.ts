import { createHash, createPrivateKey } from 'node:crypto';

import { expect, test } from 'vitest';

import { systemClock } from '../../../../src/core/clock.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { openCompact } from '../../../../src/pki/jws.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { LIMITS, TYP } from '../../../../src/protocol/common.ts';
import { deviceStatus } from '../../../../src/protocol/device-messages.ts';
import { parseMessage } from '../../../../src/protocol/parse.ts';
import { answerDevice } from '../../../../src/slice/device/answer-device.ts';
import type { SliceContext } from '../../../../src/slice/slice-context.ts';
import * as V from '../../../vectors/vector.ts';

const { certificates } = V.vector('certificates', V.CERTIFICATES);
const certificate = (name: string) => parseCertificate(certificates[name]?.pem ?? '');
const slice = {
  clock: systemClock,
  config: { links: [] },
  identity: {
    signer: keySigner(createPrivateKey(V.vector('keys', V.KEYS).keys['gateway']?.pkcs8 ?? '')),
    grantCertificate: certificate('gateway'),
    intermediate: certificate('intermediate'),
  },
} as unknown as SliceContext;

test.each([
  ['ISO 8859-1', 'latin1'],
  ['UTF-8', 'utf8'],
] as const)('an answer names the hash of the bytes received, even when they are "é" in %s', async (_name, encoding) => {
  const body = Buffer.from('é', encoding);
  const device = { id: '5f3a8e0c-91d4-4a7b-8f0e-2c6b7d1e9a04', state: 'ended', endReason: null } as const;
  const { payload } = openCompact(await answerDevice(slice, body, device), TYP.deviceStatus);
  const answer = parseMessage(deviceStatus, payload, LIMITS.deviceStatus, 'internal');
  expect(answer.requestHash).toBe(createHash('sha256').update(body).digest('base64url'));
});
