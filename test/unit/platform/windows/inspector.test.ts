import { mkdir } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { WindowsCaretaker } from '../../../../platform/windows/caretaker.ts';
import { windowsPlatform } from '../../../../platform/windows/index.ts';
import { WindowsInspector } from '../../../../platform/windows/inspector.ts';
import { UPGRADE_CODES } from '../../../../platform/windows/paths.ts';
import { at } from '../../../../platform/windows/system.ts';
import { setNameRule } from '../../../../platform/windows/tunnel/nrpt.ts';
import { sha256 } from '../../../../src/core/bytes.ts';
import { FakeWindows, json, type FakeService } from './fake-windows.ts';

const service: FakeService = { state: 4, start: 2, exitCode: 0, command: 'x.exe', recovers: false };
const adapter = {
  ...{ name: 'Wi-Fi', description: 'Intel Wi-Fi', guid: '{1}', index: 7, type: 71, mtu: 1500, up: true },
  ...{ mac: '020000000001', hardware: true, permanentMac: '001122334455', received: 1, sent: 1 },
  ...{ addresses: ['192.168.1.7/24'], dnsServers: ['192.168.1.1'] },
};

let machine: FakeWindows;
let inspector: WindowsInspector;

beforeEach(async () => {
  machine = await FakeWindows.make();
  inspector = new WindowsInspector(machine);
});
afterEach(() => machine.destroy());

describe('the inspector', () => {
  it('takes an administrator for root', async () => {
    expect(inspector.isRoot()).toBe(false);
    await mkdir(at(machine, 'Windows/System32/config'));
    expect(inspector.isRoot()).toBe(true);
  });

  it('tells a file by the rights that others have of it', async () => {
    await machine.write('ProgramData/a.key', '');
    const file = at(machine, 'ProgramData/a.key');
    machine.rights.set(file, 'O:BAD:PAI(A;;FA;;;SY)(A;;FA;;;BA)');
    expect(await inspector.file(file)).toMatchObject({ kind: 'file', uid: 0, mode: 0o600 });
    machine.rights.set(file, 'O:S-1-5-21-9-9-9-1005G:SYD:(A;;FA;;;SY)(A;;FR;;;BU)');
    expect(await inspector.file(file)).toMatchObject({ uid: 1, mode: 0o644 });
    expect(await inspector.file(at(machine, 'ProgramData/none'))).toBeUndefined();
  });

  it('has words for services', async () => {
    machine.services.set('a', service);
    machine.services.set('b', { ...service, state: 1, start: 3, exitCode: 1066 });
    machine.services.set('c', { ...service, state: 1, start: 4, exitCode: 1077 });
    machine.services.set('d', { ...service, state: 2 });
    expect(await inspector.units(['a', 'b', 'c', 'd', 'e'])).toEqual([
      { known: true, active: 'active', enabled: 'enabled', result: 'success', restarts: 0 },
      { known: true, active: 'failed', enabled: 'manual', result: 'exit code 1066', restarts: 0 },
      { known: true, active: 'inactive', enabled: 'disabled', result: 'success', restarts: 0 },
      { known: true, active: 'changing', enabled: 'enabled', result: 'success', restarts: 0 },
      { known: false, active: '', enabled: '', result: '', restarts: 0 },
    ]);
  });

  it('knows who resolves which names, and through what an address is reached', async () => {
    await setNameRule(machine, 'kiwi-acme', { servers: ['10.77.0.1'], domains: ['corp.example'] });
    machine.verbs['adapters'] = () => json([adapter, { ...adapter, index: 8, name: 'off', up: false }]);
    expect(await inspector.resolver()).toEqual([
      { interface: 'kiwi-acme', servers: ['10.77.0.1'], domains: ['~corp.example'], takesOthers: false },
      { interface: 'Wi-Fi', servers: ['192.168.1.1'], domains: [], takesOthers: true },
    ]);
    machine.verbs['route-to'] = () => json({ index: 7 });
    expect(await inspector.interfaceFor('192.0.2.1')).toBe('Wi-Fi');
    machine.verbs['route-to'] = () => ({ code: 3 });
    expect(await inspector.interfaceFor('192.0.2.1')).toBeUndefined();
  });

  it('looks whether the files of the package are as it delivered them', async () => {
    expect(await inspector.package('kiwistack-enroll')).toBeUndefined();
    machine.products.set(UPGRADE_CODES['kiwistack-enroll'], {
      code: '{11111111-2222-3333-4444-555555555555}',
      version: '0.1.0',
    });
    const line = `${sha256('right').toString('hex')}  app.js\n`;
    await machine.write('Program Files/KiwiStack Enroll/files.sha256', line);
    await machine.write('Program Files/KiwiStack Enroll/app.js', 'right');
    expect(await inspector.package('kiwistack-enroll')).toEqual({ version: '0.1.0', altered: [] });
    await machine.write('Program Files/KiwiStack Enroll/app.js', 'wrong');
    expect((await inspector.package('kiwistack-enroll'))?.altered).toEqual([
      at(machine, 'Program Files/KiwiStack Enroll/app.js'),
    ]);
  });

  it('shows a peer without its secrets', async () => {
    machine.programs['wg'] = () => ({
      stdout: 'PRIVATE\tPUBLIC\t1\toff\r\nPEER\tPSK\t192.0.2.1:1\t10.0.0.0/8,10.1.0.0/16\t0\t0\t0\t25\r\n',
    });
    expect(await inspector.peer('kiwi-acme')).toEqual({
      ...{ publicKey: 'PUBLIC', peers: 1, allowedNetworks: ['10.0.0.0/8', '10.1.0.0/16'], keepaliveSeconds: 25 },
    });
    machine.programs['wg'] = () => ({ code: 1 });
    expect(await inspector.peer('kiwi-acme')).toBeUndefined();
  });
});

describe('the caretaker', () => {
  it('closes a file or folder to others, and follows no link', async () => {
    const caretaker = new WindowsCaretaker(machine);
    await machine.write('ProgramData/a.key', '');
    const file = at(machine, 'ProgramData/a.key');
    await caretaker.restrict(file, 0o600);
    expect(machine.rights.get(file)).toBe('O:BAD:PAI(A;;FA;;;SY)(A;;FA;;;BA)');
    machine.verbs['file-security'] = () => json({ kind: 'other', security: 'O:SYD:' });
    await expect(caretaker.restrict(file, 0o600)).rejects.toMatchObject({ code: 'access-denied' });
    await caretaker.remove(file);
    await caretaker.remove(file);
    expect(await machine.read('ProgramData/a.key')).toBeUndefined();
  });

  it('starts services, and has them start with Windows', async () => {
    const caretaker = new WindowsCaretaker(machine);
    machine.services.set('a', { ...service, state: 1, start: 4 });
    await caretaker.enable('a');
    await caretaker.restart('a');
    await caretaker.restart('a');
    expect(machine.services.get('a')).toMatchObject({ state: 4, start: 2 });
    machine.services.set('b', { ...service, state: 1, exitCode: 5 });
    await expect(caretaker.restart('b')).rejects.toMatchObject({ code: 'program-failed' });
    await expect(caretaker.enable('none')).rejects.toMatchObject({ code: 'program-failed' });
  });
});

describe('the machine', () => {
  it('has built-in disks and adapters, with what cannot be read left out', async () => {
    machine.verbs['smbios'] = () => ({ code: 1 });
    machine.verbs['disks'] = () =>
      json([
        { bus: 17, removable: false, serial: ' S5GX ' },
        { bus: 7, removable: false, serial: 'usb' },
        { bus: 11, removable: true, serial: 'card' },
        { bus: 11, removable: false, serial: null },
      ]);
    machine.verbs['adapters'] = () =>
      json([
        adapter,
        { ...adapter, description: 'Realtek USB GbE', permanentMac: '001122334466' },
        { ...adapter, hardware: false, permanentMac: '001122334477' },
        { ...adapter, type: 53, permanentMac: '001122334488' },
        { ...adapter, permanentMac: '000000000000' },
      ]);
    const facts = await windowsPlatform(machine).hardware.readHardware();
    expect(facts).toMatchObject({ disks: ['S5GX'], macs: ['00:11:22:33:44:55'] });
    expect(facts).not.toHaveProperty('uuid');
  });
});

describe('a person at a screen', () => {
  it('is told by Windows itself, and nothing goes wrong where that does not work', async () => {
    const { desktop } = windowsPlatform(machine);
    machine.verbs['sessions'] = () => json([1]);
    const told: string[] = [];
    machine.verbs['notify'] = ([id = '']) => {
      told.push(id);
      return undefined;
    };
    const [session] = await desktop.sessions();
    expect(session).toEqual({ id: '1', uid: 1 });
    if (session === undefined) return;
    expect(await desktop.show(session, { title: 'a', body: 'b' })).toBe(1);
    expect(told).toEqual(['1']);
    await desktop.close(session, 1);
    machine.verbs['notify'] = () => ({ code: 1 });
    expect(await desktop.show(session, { title: 'a', body: 'b' })).toBeUndefined();
    machine.verbs['sessions'] = () => ({ stdout: 'nonsense' });
    expect(await desktop.sessions()).toEqual([]);
  });
});

describe('reports', () => {
  it('are of our services and our log', async () => {
    machine.services.set('kiwistack-agent', service);
    await machine.write('ProgramData/KiwiStack/Log/agent.1.log', '2026-11-21T10:00:00.000Z old\n');
    await machine.write('ProgramData/KiwiStack/Log/agent.log', '2026-11-21T12:00:00.000Z new\n');
    const { reports } = windowsPlatform(machine);
    expect(await reports.units('acme')).toEqual({
      'kiwistack-agent': { ActiveState: 'active', Start: 'enabled', Result: 'success' },
      'Fleet osquery': { LoadState: 'not-found' },
      'WireGuardTunnel$kiwi-acme': { LoadState: 'not-found' },
    });
    expect(await reports.log(Date.UTC(2026, 10, 21, 11))).toBe('2026-11-21T12:00:00.000Z new\n');
  });
});
