import { verify, X509Certificate } from 'node:crypto';

import { afterEach, describe, expect, it } from 'vitest';

import { openWorkbench, type Workbench } from '../virtual-yubikey/workbench.ts';
import { makeEnrollmentKey, type EnrollmentKeyChoice } from './make-enrollment-key.ts';
import { openRemoteToken, type RemoteToken } from './remote-token.ts';

const SERIAL = 11111111;
const OTHER = 22222222;
const PIN = '123456';

let bench: Workbench | undefined;
let token: RemoteToken | undefined;

afterEach(async () => {
  await token?.close();
  await bench?.close();
  bench = undefined;
  token = undefined;
});

async function setUp(
  choices: readonly ({ serial: number } & EnrollmentKeyChoice)[],
  inserted = choices.length,
): Promise<{ bench: Workbench; token: RemoteToken; files: string[] }> {
  bench = await openWorkbench([], { touch: 'manual' });
  const files: string[] = [];
  for (const { serial, ...choice } of choices) {
    const file = bench.makeKey({ serial });
    await makeEnrollmentKey(file, choice);
    files.push(file);
  }
  for (const file of files.slice(0, inserted)) await bench.sandbox.control.insert(file);
  token = await openRemoteToken(bench.sandbox);
  return { bench, token, files };
}

function expectSigned(certificate: unknown, data: string, signature: unknown, hash = 'sha256'): void {
  const key = new X509Certificate(String(certificate)).publicKey;
  const bytes = Buffer.from(String(signature), 'base64');
  expect(verify(hash, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }, bytes)).toBe(true);
}

describe('the usual way', () => {
  it('finds the key, asks for the PIN, then for a touch, and signs', async () => {
    const { bench, token } = await setUp([{ serial: SERIAL }]);
    const found = await token.do({ do: 'find' });
    expect(found).toMatchObject({
      ok: true,
      result: { serial: SERIAL, slot: '9c', pinPolicy: 'always', touchPolicy: 'always', algorithm: 'ES256' },
    });
    const signing = token.do({ do: 'sign', pin: PIN, data: 'statement' });
    await token.until('touch');
    expect(token.events()).toEqual(['pin ok', 'touch']);
    await bench.sandbox.control.touch();
    const signed = await signing;
    expect(signed).toMatchObject({ ok: true });
    expect(token.events()).toEqual(['touched']);
    expectSigned(found.result?.['certificate'], 'statement', signed.result?.['signature']);
    console.log('find', found.ms, 'sign', signed.ms);
  });
});
void OTHER;
