import { rm } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { selectPlatform } from '../../../../platform/select.ts';
import { WindowsPreflight } from '../../../../platform/windows/preflight.ts';
import { at, windowsSystem } from '../../../../platform/windows/system.ts';
import { childEnvironment } from '../../../../src/programs/minimal-environment.ts';
import { FakeWindows } from './fake-windows.ts';

let machine: FakeWindows;
beforeEach(async () => {
  machine = await FakeWindows.make();
});
afterEach(() => machine.destroy());

const check = (release = '10.0.22631'): Promise<void> => new WindowsPreflight(machine, () => release).check();

describe('a laptop with Windows', () => {
  it('can be enrolled, and has folders that others cannot open', async () => {
    await check();
    const folders = ['', '/State', '/Certificates', '/Tunnel', '/Fleet', '/Log', '/Run'];
    for (const folder of folders) {
      const rights = machine.rights.get(at(machine, `ProgramData/KiwiStack${folder}`));
      expect(rights, folder).toBe('O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)');
    }
  });

  it.each(['10.0.19045', '6.3.9600', '10.0.18362', ''])('of version %j cannot', async (release) => {
    await expect(check(release)).rejects.toMatchObject({ code: 'unsupported-system' });
  });

  it('cannot without an administrator', async () => {
    machine.administrator = false;
    await expect(check()).rejects.toMatchObject({ code: 'not-root' });
  });

  it('cannot without WireGuard, and names all that is missing', async () => {
    await rm(at(machine, 'Program Files/WireGuard'), { recursive: true });
    await expect(check()).rejects.toMatchObject({
      code: 'tool-missing',
      detail: 'wireguard.exe (WireGuard for Windows), wg.exe (WireGuard for Windows)',
    });
  });

  it('cannot with a clock that was never set', async () => {
    machine.time = Date.UTC(2019, 0, 1);
    await expect(check()).rejects.toMatchObject({ code: 'clock-unset' });
  });

  it('cannot where somebody else has made our folder', async () => {
    machine.rights.set(at(machine, 'ProgramData/KiwiStack'), 'O:S-1-5-21-9-9-9-1005D:');
    await expect(check()).rejects.toMatchObject({ code: 'access-denied' });
  });
});

describe('places', () => {
  const executable = String.raw`D:\Program Files\KiwiStack Enroll\node.exe`;

  it('are known by where this program is, and not by a variable', () => {
    expect(windowsSystem(executable)).toMatchObject({
      root: 'D:\\',
      program: String.raw`D:\Program Files\KiwiStack Enroll`,
    });
    expect(childEnvironment(undefined, { platform: 'win32', executable })).toEqual({
      ...{ SystemRoot: String.raw`D:\Windows`, PATH: String.raw`D:\Windows\System32` },
      ...{ TEMP: String.raw`D:\Windows\Temp`, TMP: String.raw`D:\Windows\Temp` },
    });
    expect(childEnvironment({ A: 'b' }, { platform: 'linux', executable })).toEqual({ A: 'b' });
  });

  it('of a whole platform are on one drive', () => {
    const { stateFolder, units } = selectPlatform('win32');
    expect(stateFolder).toContain('KiwiStack');
    expect(units.agentSocket).toBe('kiwistack-agent');
  });
});
