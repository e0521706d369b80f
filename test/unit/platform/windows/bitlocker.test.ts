import { describe, expect, it } from 'vitest';

import { BitLocker } from '../../../../platform/windows/bitlocker.ts';
import { systemClock } from '../../../../src/core/clock.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';

// What manage-bde and mountvol print, by Microsoft's documentation, in German: nothing of it was recorded on Windows.
const VOLUME = '0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9';
const OLD = 'AAAAAAAA-0000-4000-8000-000000000001';
const NEW = 'BBBBBBBB-0000-4000-8000-000000000002';
const passwordOf = (id: string): string =>
  Array.from({ length: 8 }, () => (id === OLD ? '111111' : '222222')).join('-');
const listed = (id: string): string =>
  `    Numerisches Kennwort:\r\n      ID: {${id}}\r\n      Kennwort:\r\n        ${passwordOf(id)}\r\n`;

function machine(isOn = true) {
  const protectors = [OLD];
  const asked: string[] = [];
  const bitlocker = new BitLocker({
    ...{ root: 'C:\\', program: 'C:\\Program Files\\KiwiStack', clock: systemClock },
    run: ({ program, args }) => {
      asked.push(args.join(' '));
      let [code, said] = [0, 'BitLocker-Laufwerkverschlüsselung\r\n'];
      if (program.endsWith('mountvol.exe')) said = `    \\\\?\\Volume{${VOLUME}}\\\r\n`;
      else if (args[0] === '-status') code = isOn ? 0 : 1;
      else if (args[1] === '-add') {
        protectors.push(NEW);
        said += listed(NEW);
      } else if (args[1] === '-delete')
        protectors.splice(protectors.indexOf(args[4]?.slice(1, -1).toUpperCase() ?? ''), 1);
      else said += protectors.map(listed).join('');
      return Promise.resolve({ code, signal: null, stdout: Buffer.from(said, 'latin1'), stderr: Buffer.alloc(0) });
    },
  });
  return { bitlocker, protectors, asked };
}

describe("BitLocker's numerical password", () => {
  it('is made by the system, beside the others, and taken away by its own id', async () => {
    const { bitlocker, protectors, asked } = machine();
    const { volume, key } = await bitlocker.make();
    expect(volume).toEqual({ kind: 'bitlocker', uuid: VOLUME, protector: NEW.toLowerCase() });
    expect(key.bytes.toString()).toBe(passwordOf(NEW));
    expect(await bitlocker.opens(volume, key)).toBe(true);
    expect(await bitlocker.opens(volume, new SecretBytes(Buffer.from(passwordOf(OLD))))).toBe(false);
    await bitlocker.remove(volume);
    await bitlocker.remove(volume);
    expect([protectors, await bitlocker.opens(volume, key)]).toEqual([[OLD], false]);
    expect(asked.join(' ')).not.toContain(passwordOf(NEW));
  });

  it('is not made where BitLocker is off', async () => {
    await expect(machine(false).bitlocker.make()).rejects.toMatchObject({ code: 'disk-not-secured' });
  });
});
