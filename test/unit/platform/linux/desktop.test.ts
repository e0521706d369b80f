import { createServer, type Server } from 'node:net';
import { chown, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LogindDesktop } from '../../../../platform/linux/desktop.ts';
import { FakeLinux } from './fake-linux.ts';

let machine: FakeLinux;
let desktop: LogindDesktop;
let list: string;
let shown: Record<string, string>;
beforeEach(async () => {
  machine = await FakeLinux.make();
  desktop = new LogindDesktop(machine);
  [list, shown] = ['', {}];
  await machine.install('/usr/bin/loginctl', (args) => {
    if (args[0] === 'list-sessions') return list;
    const text = shown[args.at(-1) ?? ''];
    return text === undefined ? { code: 1 } : text;
  });
});
afterEach(() => machine.destroy());

const session = (change: Record<string, string> = {}): string =>
  Object.entries({ User: '1000', Type: 'wayland', Class: 'user', State: 'active', Remote: 'no', ...change })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

describe('the sessions of a desktop', () => {
  it('are those of people at a screen', async () => {
    list = '     2 1000 anna seat0 tty2\n    c1  114 gdm  seat0 tty1\n    31 1001 ben        pts/0\n';
    shown = {
      '2': session(),
      c1: session({ User: '114', Class: 'greeter' }),
      '31': session({ User: '1001', Type: 'tty' }),
    };
    expect(await desktop.sessions()).toEqual([{ id: '2', uid: 1000 }]);
  });

  it.for<[string, Record<string, string>]>([
    ['of a service', { User: '114' }],
    ['of root', { User: '0' }],
    ['of nobody', { User: '65534' }],
    ['of no user', { User: 'anna' }],
    ['of a part of a user', { User: '1000.5' }],
    ['from elsewhere', { Remote: 'yes' }],
    ['that is ending', { State: 'closing' }],
    ['without a screen', { Type: 'unspecified' }],
  ])('are none %s', async ([_what, change]) => {
    [list, shown] = ['2 1000 anna seat0 tty2\n', { '2': session(change) }];
    expect(await desktop.sessions()).toEqual([]);
  });

  it('are not made by a name: only ids in their form are asked for', async () => {
    list = '--help 1000 a\n$(reboot) 1000 b\n2;3 1000 c\n4\u001b[2J 1000 d\nanna 1000\n \n6\n';
    shown = { anna: session() };
    expect(await desktop.sessions()).toEqual([{ id: 'anna', uid: 1000 }]);
    expect(machine.ran.filter((line) => line.includes('show-session'))).toHaveLength(1);
    expect(machine.ran.at(-1)).toMatch(/-- anna$/u);
  });

  it('are none where there is no logind, or it fails, and at most sixteen', async () => {
    expect(await desktop.sessions()).toEqual([]);
    list = Array.from({ length: 500 }, (_, n) => `${n} 1000 anna\n`).join('');
    shown = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${n}`, session()]));
    expect(await desktop.sessions()).toHaveLength(16);
    await rm(path.join(machine.root, 'usr/bin/loginctl'));
    expect(await desktop.sessions()).toEqual([]);
  });
});

describe('a notice', () => {
  const NOTICE = { title: 'Title', body: '--body; $(reboot)' };
  const uid = process.getuid?.() ?? 0;
  let server: Server | undefined;
  const bus = (): string => path.join(machine.root, `run/user/${uid}/bus`);
  beforeEach(async () => {
    await mkdir(path.dirname(bus()), { recursive: true });
    await machine.install('/usr/bin/busctl');
    await machine.install('/usr/bin/setpriv', () => 'u 41\n');
  });
  afterEach(() => server?.close());
  const listen = async (file: string): Promise<void> => {
    server = createServer();
    await new Promise<void>((resolve) => server?.listen(file, resolve));
  };
  const send = (): Promise<number | undefined> => desktop.show({ id: '2', uid }, NOTICE);

  it('is sent with the rights of its user, as arguments', async () => {
    await listen(bus());
    expect(await send()).toBe(41);
    expect(machine.ran.at(-1)).toBe(
      `setpriv --reuid=${uid} --regid=${uid} --clear-groups --no-new-privs -- /usr/bin/busctl --address=unix:path=/run/user/${uid}/bus --timeout=3 call ` +
        'org.freedesktop.Notifications /org/freedesktop/Notifications org.freedesktop.Notifications Notify ' +
        'susssasa{sv}i KiwiStack 0 dialog-information Title --body; $(reboot) 0 1 urgency y 1 0',
    );
    await desktop.close({ id: '2', uid }, 41);
    expect(machine.ran.at(-1)).toMatch(/CloseNotification u 41$/u);
  });

  it.for(['', 'u', 'u -1', 'u 99999999999', 's "41"', 'u 41\nu 42', '\u001b[2Ju 41'])(
    'has no number when the answer is %j',
    async (answer) => {
      await listen(bus());
      await machine.install('/usr/bin/setpriv', () => answer);
      expect(await send()).toBeUndefined();
    },
  );

  it('is not sent to a bus that is a file, a link, another user’s, or not there; a failure is none of ours', async () => {
    expect(await send()).toBeUndefined();
    await writeFile(bus(), '');
    expect(await send()).toBeUndefined();
    await rm(bus());
    await listen(path.join(machine.root, 'elsewhere'));
    await symlink(path.join(machine.root, 'elsewhere'), bus());
    expect(await send()).toBeUndefined();
    expect(machine.ran.filter((line) => line.startsWith('setpriv'))).toEqual([]);
    if (uid === 0) {
      await rm(bus());
      await listen(bus());
      await chown(bus(), 1234, 1234);
      expect(await send()).toBeUndefined();
      await chown(bus(), 0, 0);
    }
    await machine.install('/usr/bin/setpriv', () => ({ code: 1, stderr: 'no' }));
    expect(await send()).toBeUndefined();
  });
});
