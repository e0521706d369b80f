import { verify, X509Certificate } from 'node:crypto';

import { afterEach, describe, expect, it } from 'vitest';

import { makeEnrollmentKey } from './make-enrollment-key.ts';
import { OTHER, PIN, SERIAL, setUpScene, type Scene } from './set-up.ts';

let scene: Scene;
let bench: Scene['bench'];
let token: Scene['token'];

async function setUp(...args: Parameters<typeof setUpScene>): Promise<readonly string[]> {
  scene = await setUpScene(...args);
  ({ bench, token } = scene);
  return scene.files;
}

afterEach(() => scene.close());

async function findKey(): Promise<Record<string, unknown>> {
  const found = await token.do({ do: 'find' });
  expect(found).toMatchObject({ ok: true });
  return found.result ?? {};
}

function isSignedBy(certificate: unknown, data: string, signature: unknown, hash: string): boolean {
  const key = new X509Certificate(String(certificate)).publicKey;
  const bytes = Buffer.from(String(signature), 'base64');
  return verify(hash, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }, bytes);
}

describe('the usual way', () => {
  it('finds the key, asks for the PIN, then for a touch, and signs', async () => {
    await setUp();
    const found = await findKey();
    expect(found).toMatchObject({ serial: SERIAL, slot: '9c', pinPolicy: 'always', touchPolicy: 'always' });
    const signing = token.do({ do: 'sign', pin: PIN, data: 'statement' });
    await token.until('touch');
    expect(token.events()).toEqual(['pin ok', 'touch']);
    await bench.sandbox.control.touch();
    const signed = await signing;
    expect(signed).toMatchObject({ ok: true });
    expect(token.events()).toEqual(['touched']);
    expect(isSignedBy(found['certificate'], 'statement', signed.result?.['signature'], 'sha256')).toBe(true);
  });

  it.each([
    { slot: '9a', pin: 'once', touch: 'never', algorithm: 'eccP256', alg: 'ES256', hash: 'sha256' },
    { slot: '9c', pin: 'always', touch: 'never', algorithm: 'eccP384', alg: 'ES384', hash: 'sha384' },
    { slot: '9c', pin: 'always', touch: 'never', algorithm: 'rsa2048', alg: 'RS256', hash: 'sha256' },
    { slot: '9a', pin: 'never', touch: 'never', algorithm: 'eccP256', alg: 'ES256', hash: 'sha256' },
    { slot: '9a', pin: 'always', touch: 'never', algorithm: 'eccP256', alg: 'ES256', hash: 'sha256' },
    { slot: '9c', pin: 'once', touch: 'never', algorithm: 'eccP256', alg: 'ES256', hash: 'sha256' },
  ] as const)(
    'signs with $algorithm in $slot, PIN $pin, without a prompt for touch',
    async ({ alg, hash, ...choice }) => {
      await setUp([choice]);
      const found = await findKey();
      expect(found).toMatchObject({ slot: choice.slot, algorithm: alg, pinPolicy: choice.pin, touchPolicy: 'never' });
      const signed = await token.do({ do: 'sign', pin: PIN, data: 'statement' });
      expect(signed).toMatchObject({ ok: true });
      expect(token.events()).toEqual(['pin ok']);
      expect(isSignedBy(found['certificate'], 'statement', signed.result?.['signature'], hash)).toBe(true);
    },
  );
});

describe('the PIN', () => {
  it('is refused, with the tries left known before each, until it is locked; then it is not asked for', async () => {
    await setUp([{ touch: 'never' }]);
    await findKey();
    const wrong = { do: 'sign', pin: '654321' } as const;
    const first = await token.do(wrong);
    expect([first.code, first.detail?.split(';')[0]]).toEqual(['pin-wrong', '2 tries left']);
    const second = await token.do(wrong);
    expect([second.code, second.detail?.split(';')[0]]).toEqual(['pin-wrong', '1 try left']);
    expect(await token.do({ do: 'tries' })).toMatchObject({ result: { state: 'final' } });
    expect(await token.do(wrong)).toMatchObject({ code: 'pin-locked' });
    expect(token.events()).toEqual(['pin ok', 'pin low', 'pin final']);
    expect(await token.do({ do: 'sign', pin: PIN })).toMatchObject({ code: 'pin-locked' });
    expect(token.events()).toEqual([]);
  });

  it('of a form that it cannot have uses up no try', async () => {
    await setUp([{ touch: 'never' }]);
    await findKey();
    for (const pin of [
      '',
      '12345',
      '123456789',
      'ccccccvfkblbkhjgbrfhlrgkuvflgvkrghjdnclnrggg',
      'grün12',
      '12345\n',
      '123456 ',
      ' 123456',
    ]) {
      expect(await token.do({ do: 'sign', pin })).toMatchObject({ code: 'pin-malformed' });
    }
    expect(await token.do({ do: 'tries' })).toMatchObject({ result: { state: 'ok' } });
  });

  it('works after a wrong one, and resets the count', async () => {
    await setUp([{ touch: 'never' }]);
    await findKey();
    await token.do({ do: 'sign', pin: '654321' });
    expect(await token.do({ do: 'sign', pin: PIN })).toMatchObject({ ok: true });
    expect(await token.do({ do: 'tries' })).toMatchObject({ result: { state: 'ok' } });
  });
});

describe('the token host', () => {
  it('is one process without the PIN in its arguments, and is gone after a signing', async () => {
    await setUp();
    await findKey();
    const signing = token.do({ do: 'sign', pin: PIN });
    await token.until('touch');
    const during = (await token.do({ do: 'children' })).result as unknown as string[];
    expect(during).toHaveLength(1);
    expect(during[0]).toContain('token/host/main.ts');
    expect(during[0]).not.toContain(PIN);
    await bench.sandbox.control.touch();
    expect(await signing).toMatchObject({ ok: true });
    expect(await token.do({ do: 'children' })).toMatchObject({ result: [] });
  });
});

describe('the touch', () => {
  it('that never comes is distinguished from everything else', async () => {
    await setUp();
    await findKey();
    expect(await token.do({ do: 'sign', pin: PIN })).toMatchObject({ code: 'touch-timeout' });
    expect(token.events()).toEqual(['pin ok', 'touch']);
  }, 30_000);

  it('is not waited for any longer once aborted; the key works when it has stopped blinking', async () => {
    await setUp([{}], { touchTimeoutMs: 6000 });
    await findKey();
    const signing = token.do({ do: 'sign', pin: PIN });
    await bench.sandbox.control.untilBlinking();
    await token.do({ do: 'abort' });
    expect(await signing).toMatchObject({ code: 'cancelled' });
    expect((await bench.sandbox.control.show()).blinking).toEqual([SERIAL]);
    const touchExpected = token.until('touch');
    const again = token.do({ do: 'sign', pin: PIN, data: 'x' });
    await touchExpected;
    await bench.sandbox.control.untilBlinking();
    await bench.sandbox.control.touch();
    expect(await again).toMatchObject({ ok: true });
  });
});

describe('a key that does not stay', () => {
  it('pulled after it was found is missed before the PIN is asked for', async () => {
    await setUp();
    await findKey();
    await bench.sandbox.control.pull();
    expect(await token.do({ do: 'sign', pin: PIN })).toMatchObject({ code: 'key-removed' });
    expect(token.events()).toEqual([]);
  });

  it('pulled while it waits for a touch is missed at once', async () => {
    await setUp();
    await findKey();
    const signing = token.do({ do: 'sign', pin: PIN });
    await token.until('touch');
    await bench.sandbox.control.untilBlinking();
    await bench.sandbox.control.pull();
    const said = await signing;
    expect(said).toMatchObject({ code: 'key-removed' });
    expect(said.ms, 'the key itself gives up after 15 s').toBeLessThan(14_000);
  });

  it('exchanged for another enrollment key gets no PIN and signs nothing', async () => {
    const [, other = ''] = await setUp([{ touch: 'never' }, { serial: OTHER, touch: 'never' }], { inserted: 1 });
    await findKey();
    await bench.sandbox.control.pull();
    await bench.sandbox.control.insert(other);
    expect(await token.do({ do: 'sign', pin: '000000' })).toMatchObject({ code: 'key-changed' });
    expect(token.events()).toEqual([]);
    await findKey();
    expect(await token.do({ do: 'tries' })).toMatchObject({ result: { state: 'ok' } });
  });

  it('exchanged while the PIN is typed gets no PIN either', async () => {
    const [, other = ''] = await setUp([{ touch: 'never' }, { serial: OTHER, touch: 'never' }], { inserted: 1 });
    await findKey();
    const signing = token.do({ do: 'sign', pin: '000000', pinDelayMs: 1500 });
    await token.until('pin');
    await bench.sandbox.control.pull();
    await bench.sandbox.control.insert(other);
    expect(await signing).toMatchObject({ code: 'key-changed' });
    await findKey();
    expect(await token.do({ do: 'tries' })).toMatchObject({ result: { state: 'ok' } });
  });

  it('unplugged and plugged in again continues', async () => {
    const [file = ''] = await setUp([{ touch: 'never' }]);
    await findKey();
    await bench.sandbox.control.pull();
    await bench.sandbox.control.insert(file);
    expect(await token.do({ do: 'sign', pin: PIN })).toMatchObject({ ok: true });
  });

  it('with another key in its slot than before signs nothing', async () => {
    const [file = ''] = await setUp([{ touch: 'never' }]);
    await findKey();
    await bench.sandbox.control.pull();
    await makeEnrollmentKey(file, { touch: 'never' });
    await bench.sandbox.control.insert(file);
    expect(await token.do({ do: 'sign', pin: '000000' })).toMatchObject({ code: 'key-changed' });
    expect(await token.do({ do: 'tries' })).toMatchObject({ result: { state: 'ok' } });
  });
});
