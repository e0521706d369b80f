import { fileURLToPath } from 'node:url';

import { afterEach, describe, expect, it } from 'vitest';

import { MANAGEMENT_KEY, openWorkbench, SERIAL, succeeds, type Workbench } from '../virtual-yubikey/workbench.ts';

const DRIVER = fileURLToPath(new URL('./provision-driver.ts', import.meta.url));
const OWN_KEY = '0f0e0d0c0b0a09080706050403020100f0e0d0c0b0a09080';

let bench: Workbench | undefined;
afterEach(() => bench?.close());

async function provision(
  firmware: string,
  options: { setKey?: string; giveKey?: string; tool?: string } = {},
): Promise<unknown> {
  bench = await openWorkbench([{ serial: SERIAL, firmware }, { serial: 22222222 }], { touch: 'auto' });
  if (options.setKey !== undefined) {
    const keys = ['--management-key', MANAGEMENT_KEY, '--new-management-key', options.setKey];
    await succeeds(bench.ykman('access', 'change-management-key', '--force', ...keys));
  }
  const argv = [process.execPath, DRIVER, String(SERIAL), options.giveKey ?? 'default', options.tool ?? ''];
  const { stdout, stderr } = await bench.sandbox.run(argv);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as unknown;
}

const DONE = {
  policies: ['always', 'always'],
  signed: true,
  refused: 'key-certificate-invalid',
  found: [SERIAL, '9c', 'acme'],
};

describe('a factory-new YubiKey becomes an enrollment key', () => {
  it.each(['5.4.3', '5.7.1'])('firmware %s, the management key of the factory', async (firmware) => {
    expect(await provision(firmware)).toMatchObject({
      ...DONE,
      before: [
        { serial: SERIAL, firmware, slots: 0 },
        { serial: 22222222, firmware: '5.4.3', slots: 0 },
      ],
    });
  });

  it('by yubico-piv-tool, where ykman is not installed', async () => {
    const ownKey = { setKey: OWN_KEY, giveKey: OWN_KEY };
    expect(await provision('5.4.3', { ...ownKey, tool: 'yubico-piv-tool' })).toMatchObject(DONE);
    await bench?.close();
    // yubico-piv-tool 2.2.0 does not know the AES management keys of 5.7.
    expect(await provision('5.7.1', { tool: 'yubico-piv-tool' })).toMatchObject({ code: 'management-key-refused' });
  });

  it('with a management key of its own', async () => {
    expect(await provision('5.4.3', { setKey: OWN_KEY, giveKey: OWN_KEY })).toMatchObject(DONE);
  });

  it('not with a wrong management key, nor with none', async () => {
    expect(await provision('5.4.3', { setKey: OWN_KEY })).toMatchObject({ code: 'management-key-refused' });
    await bench?.close();
    expect(await provision('5.4.3', { giveKey: 'abc' })).toMatchObject({ code: 'management-key-refused' });
  });
});
