import { afterEach, describe, expect, it } from 'vitest';

import { PIN, setUpScene, type Scene } from './set-up.ts';

let scene: Scene;
afterEach(() => scene.close());

async function apdus(): Promise<number> {
  const { keys } = await scene.bench.sandbox.control.show();
  return keys[0]?.apdus ?? 0;
}

async function plugInAgain(): Promise<void> {
  const { control } = scene.bench.sandbox;
  await control.clearFaults();
  if ((await control.show()).keys.length > 0) await control.pull();
  await control.insert(scene.files[0] ?? '');
}

/** Some of the moments between the first and the last APDU of `act`, both among them. */
async function moments(act: () => Promise<unknown>, howMany: number): Promise<number[]> {
  const before = await apdus();
  await act();
  const total = (await apdus()) - before;
  return Array.from({ length: howMany }, (_, index) => 1 + Math.floor((index * (total - 1)) / (howMany - 1)));
}

describe('a key pulled at any moment', () => {
  it('while it is looked for is absent, never "not enrolled" or "invalid"', async () => {
    scene = await setUpScene([{ touch: 'never' }]);
    const { bench, token } = scene;
    const codes: unknown[] = [];
    for (const atApdu of await moments(() => token.do({ do: 'find' }), 6)) {
      await bench.sandbox.control.fault({ atApdu, action: 'pull' });
      const { code } = await token.do({ do: 'find' });
      codes.push(code);
      await plugInAgain();
    }
    // At the last APDUs everything is known already.
    expect(new Set(codes.filter((code) => code !== undefined))).toEqual(new Set(['key-absent']));
    expect(codes.indexOf(undefined) === -1 || codes.indexOf(undefined) > 3).toBe(true);
  });

  it('while it signs is "removed", and nothing else is said', async () => {
    scene = await setUpScene([{ touch: 'never' }]);
    const { bench, token } = scene;
    await token.do({ do: 'find' });
    const codes: unknown[] = [];
    // 16: between the attestation and the certificate of slot 9c, which then looks like another key.
    for (const atApdu of [16, ...(await moments(() => token.do({ do: 'sign', pin: PIN }), 7))]) {
      await bench.sandbox.control.fault({ atApdu, action: 'pull' });
      const { ok, code, detail } = await token.do({ do: 'sign', pin: PIN });
      codes.push(ok || code === 'key-removed' ? (code ?? 'signed') : `${atApdu}: ${code ?? ''} ${detail ?? ''}`);
      await plugInAgain();
    }
    expect(new Set(codes.slice(0, -2))).toEqual(new Set(['key-removed']));
    expect(['key-removed', 'signed']).toEqual(expect.arrayContaining(codes.slice(-2)));
    expect(await token.do({ do: 'tries' })).toMatchObject({ result: { state: 'ok' } });
  });
});
