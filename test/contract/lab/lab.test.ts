import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Lab, type Laptop, type Room } from '../../lab/lab.ts';
import { attachLab } from '../../lab/attach-lab.ts';

const execute = promisify(execFile);

let dir: string;
let lab: Lab;
let ada: Laptop;
let hostBefore: string;

/** What must not change on the host, as one text. */
async function hostState(): Promise<string> {
  const lines: string[] = [await readFile('/etc/resolv.conf', 'utf8')];
  lines.push((await execute('/sbin/ip', ['-brief', 'address'])).stdout, (await execute('/sbin/ip', ['route'])).stdout);
  lines.push((await execute('/bin/hostname')).stdout, (await readFile('/proc/self/mounts', 'utf8')).trim());
  for (const entry of (await readdir('/etc', { recursive: true, withFileTypes: true })).filter((e) => e.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const { size, mode, mtimeMs } = await stat(path);
    lines.push(`${path} ${mode} ${size} ${mtimeMs}`);
  }
  lines.push(...(await readdir('/run')), ...(await readdir('/opt')));
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

async function output(room: Room, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await room.run(argv);
  return `${code} ${stdout}${stderr}`.trim();
}

const sh = (room: Room, script: string, ...args: string[]) => output(room, '/bin/sh', '-c', script, 'sh', ...args);

beforeAll(async () => {
  hostBefore = await hostState();
  dir = await mkdtemp(join(tmpdir(), 'lab-'));
  lab = await Lab.create({ dir });
  ada = await lab.addLaptop({ name: 'ada', dmi: { product_serial: 'SN-42', board_serial: 'To be filled by O.E.M.' } });
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});

describe('the network of the lab', () => {
  test('lets a laptop reach the slice by its public name, and nothing behind it', async () => {
    expect(await output(ada, '/bin/ping', '-c1', '-W2', 'enroll.acme.example')).toMatch(/^0 /u);
    expect(await output(ada, '/bin/ping', '-c1', '-W2', '10.77.1.20')).toMatch(/^1 .*Unreachable/su);
    expect(await output(ada, '/bin/ping', '-c1', '-W2', '10.77.1.30')).toMatch(/^1 /u);
    expect(await output(lab.slice, '/bin/ping', '-c1', '-W2', '10.77.1.30')).toMatch(/^0 /u);
  });

  test('lets the machines behind the slice answer through it, and not reach the internet by themselves', async () => {
    expect(await output(lab.inside, '/bin/ping', '-c1', '-W2', '10.77.1.1')).toMatch(/^0 /u);
    expect(await output(lab.inside, '/bin/ping', '-c1', '-W1', ada.address)).toMatch(/^1 /u);
  });

  test('has room for strangers, who see neither the slice nor the private folder', async () => {
    const mallory = await lab.addRoom({ name: 'mallory' });
    await writeFile(join(dir, 'slice', 'secret'), 'secret');
    await writeFile(join(dir, 'carried'), 'a key');
    expect(await output(mallory, '/bin/ping', '-c1', '-W2', '203.0.113.10')).toMatch(/^0 /u);
    expect(await sh(mallory, 'cat "$1/slice/secret"', dir)).toMatch(/^1 /u);
    expect(await sh(ada, 'cat "$1/slice/secret"', dir)).toMatch(/^1 /u);
    expect(await sh(lab.slice, 'cat "$1/slice/secret"', dir)).toBe('0 secret');
    expect(await sh(ada, 'cat "$1/carried"', dir)).toBe('0 a key');
  });
});

describe('a laptop', () => {
  test('shows the firmware identity it was given, serial numbers to root only', async () => {
    expect(await sh(ada, 'cd /sys/class/dmi/id && cat product_serial board_serial && stat -c %a product_serial')).toBe(
      '0 SN-42\nTo be filled by O.E.M.\n400',
    );
    expect(await output(ada, '/bin/cat', '/sys/class/dmi/id/product_uuid')).toBe(`0 ${ada.dmi.product_uuid}`);
    expect(await output(ada, '/bin/hostname')).toBe('0 ada');
  });

  test('tells what changed on its disk', async () => {
    expect(await ada.changes()).toEqual([]);
    await sh(
      ada,
      `mkdir -p /etc/step/certs && echo root >/etc/step/certs/root.crt && chmod 600 /etc/step/certs/root.crt
       touch /etc/hosts && rm /etc/debian_version && ln -s /nowhere /opt/link && echo x >/run/volatile && echo x >/tmp/volatile`,
    );
    const sha256 = createHash('sha256').update('root\n').digest('hex');
    expect(await ada.changes()).toEqual([
      '/etc/debian_version gone',
      '/etc/step dir 0755',
      '/etc/step/certs dir 0755',
      `/etc/step/certs/root.crt file 0600 ${sha256}`,
      '/opt/link link /nowhere',
    ]);
    expect(await readFile(ada.path('/etc/step/certs/root.crt'), 'utf8')).toBe('root\n');
    expect(await readFile(ada.path('/run/volatile'), 'utf8')).toBe('x\n');
    await sh(ada, 'rm -r /etc/step /opt/link && cp -p /etc/hostname /etc/debian_version');
    expect(await ada.changes()).toHaveLength(1);
  });

  test('keeps its disk and loses the rest when the power is cut', async () => {
    await sh(ada, 'echo kept >/etc/kept; setsid sleep 1003 >/dev/null 2>&1 & echo lost >/run/lost');
    const address = await output(ada, '/bin/cat', '/sys/class/net/eth0/address');
    await ada.powerOff();
    expect(() => ada.run(['/bin/true'])).toThrow('ada is off');
    expect(await readFile(ada.path('/etc/kept'), 'utf8')).toBe('kept\n');
    expect((await execute('/bin/ps', ['axww', '-o', 'args'])).stdout).not.toContain('sleep 1003');
    await ada.boot();
    expect(await sh(ada, 'cat /etc/kept; ls /run/lost')).toMatch(/^2 kept\n/u);
    expect(await output(ada, '/bin/cat', '/sys/class/net/eth0/address')).toBe(address);
    expect(await output(ada, '/bin/ping', '-c1', '-W2', '203.0.113.10')).toMatch(/^0 /u);
  });

  test('installs a real package, whose service starts', async () => {
    const tree = join(dir, 'package');
    await mkdir(join(tree, 'DEBIAN'), { recursive: true, mode: 0o755 });
    await mkdir(join(tree, 'lib', 'systemd', 'system'), { recursive: true });
    await writeFile(
      join(tree, 'DEBIAN', 'control'),
      'Package: tiny-agent\nVersion: 1.0\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: a test\n',
    );
    await writeFile(
      join(tree, 'DEBIAN', 'postinst'),
      '#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl enable --now tiny-agent\n',
      {
        mode: 0o755,
      },
    );
    await writeFile(
      join(tree, 'lib', 'systemd', 'system', 'tiny-agent.service'),
      '[Service]\nExecStart=/bin/sleep 1004\nRestart=always\n[Install]\nWantedBy=multi-user.target\n',
    );
    await execute('/usr/bin/dpkg-deb', ['--root-owner-group', '--build', tree, join(dir, 'tiny-agent.deb')]);
    expect(await output(ada, '/usr/bin/dpkg', '-i', join(dir, 'tiny-agent.deb'))).toMatch(/^0 /u);
    expect(await output(ada, '/usr/bin/systemctl', 'is-active', 'tiny-agent')).toBe('0 active');
    expect(await ada.changes()).toContain(
      '/etc/systemd/system/multi-user.target.wants/tiny-agent.service link /lib/systemd/system/tiny-agent.service',
    );
    await expect(execute('/usr/bin/dpkg-query', ['-W', 'tiny-agent'])).rejects.toThrow();
  });

  test('brings up a WireGuard tunnel to the slice by its wg-quick unit', async () => {
    const keys = await Promise.all(
      [ada, lab.slice].map((room) => sh(room, 'k=$(wg genkey); echo "$k"; echo "$k" | wg pubkey')),
    );
    const [[adaPrivate = '', adaPublic = ''], [slicePrivate = '', slicePublic = '']] = keys.map((text) =>
      text.slice(2).split('\n'),
    ) as [string[], string[]];
    const write = async (room: Room, path: string, text: string) => {
      expect((await room.run(['/bin/sh', '-c', 'umask 077; cat >"$1"', 'sh', path], { input: text })).code).toBe(0);
    };
    await write(
      lab.slice,
      '/run/wg0.conf',
      `[Interface]\nPrivateKey = ${slicePrivate}\nListenPort = 51820\n[Peer]\nPublicKey = ${adaPublic}\nAllowedIPs = 10.77.0.2/32\n`,
    );
    expect(
      await sh(
        lab.slice,
        'wireguard-go wg0 >/dev/null 2>&1 && wg setconf wg0 /run/wg0.conf && ip address add 10.77.0.1/24 dev wg0 && ip link set wg0 up',
      ),
    ).toBe('0');
    await write(
      ada,
      '/etc/wireguard/kiwi.conf',
      `[Interface]\nPrivateKey = ${adaPrivate}\nAddress = 10.77.0.2/32\n[Peer]\nPublicKey = ${slicePublic}\nEndpoint = 203.0.113.10:51820\nAllowedIPs = 10.77.0.0/24, 10.77.1.0/24\n`,
    );
    expect(await output(ada, '/usr/bin/systemctl', 'enable', '--quiet', '--now', 'wg-quick@kiwi')).toBe('0');
    expect(await output(ada, '/bin/ping', '-c1', '-W2', '10.77.1.20')).toMatch(/^0 /u);
    // The tunnel is this laptop's alone, and comes back with it.
    await ada.powerOff();
    await ada.boot();
    expect(await output(ada, '/bin/ping', '-c1', '-W2', '10.77.1.30')).toMatch(/^0 /u);
    expect(await output(ada, '/usr/bin/systemctl', 'stop', 'wg-quick@kiwi')).toBe('0');
    expect(await output(ada, '/bin/ping', '-c1', '-W1', '10.77.1.30')).toMatch(/^1 /u);
  });

  test('is one of several', async () => {
    const others = await Promise.all(['bob', 'eve', 'joe'].map((name) => lab.addLaptop({ name })));
    const all = [ada, ...others];
    expect(new Set(all.map(({ address }) => address)).size).toBe(4);
    expect(new Set(all.map(({ dmi }) => dmi.product_uuid)).size).toBe(4);
    const ids = await Promise.all(all.map((room) => output(room, '/bin/cat', '/etc/machine-id')));
    expect(new Set(ids).size).toBe(4);
    for (const room of others) expect(await output(room, '/bin/ping', '-c1', '-W2', '203.0.113.10')).toMatch(/^0 /u);
    await expect(lab.addLaptop({ name: 'bob' })).rejects.toThrow('already has a room named bob');
  });
});

describe('a program in a room', () => {
  test('gets input and a clean environment, and its exit is reported correctly', async () => {
    const { code, stdout, stderr } = await ada.run(['/bin/sh', '-c', 'cat; echo "$A" >&2; pwd; exit 7'], {
      input: 'hello\n',
      env: { A: 'b' },
      cwd: '/etc',
    });
    expect({ code, stdout, stderr }).toEqual({ code: 7, stdout: 'hello\n/etc\n', stderr: 'b\n' });
    expect(await sh(ada, 'kill -TERM $$')).toBe('143');
    await expect(ada.run(['/bin/sleep', '1005'], { timeoutMs: 100 })).rejects.toThrow('did not end within 100 ms');
    expect(await output(ada, '/bin/ps', 'axww', '-o', 'args')).not.toContain('sleep 1005');
  });

  test('gets the signal that its ChildProcess is sent', async () => {
    const child = ada.spawn(['/bin/sh', '-c', 'trap "echo bye; exit 130" INT; echo up; while :; do sleep 0.05; done']);
    const text: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => {
      if (text.length === 0) child.kill('SIGINT');
      text.push(chunk);
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, text: Buffer.concat(text).toString() }).toEqual({ code: 130, text: 'up\nbye\n' });
  });

  test('dies when nsenter is killed by force', async () => {
    const child = ada.spawn(['/bin/sleep', '1006']);
    await expect.poll(() => output(ada, '/bin/ps', 'axww', '-o', 'args')).toContain('sleep 1006');
    process.kill(child.pid ?? 0, 'SIGKILL');
    await expect.poll(() => output(ada, '/bin/ps', 'axww', '-o', 'args')).not.toContain('sleep 1006');
  });
});

describe('a lab', () => {
  test('can be entered by another process while it runs', async () => {
    expect((await stat(join(dir, 'lab.json'))).mode & 0o777).toBe(0o600);
    const attached = await attachLab(dir);
    expect(attached?.rooms.map(({ name }) => name)).toContain('ada');
    const room = attached?.rooms.find(({ name }) => name === 'ada');
    expect((await room?.run(['/bin/hostname']))?.stdout).toBe('ada\n');
  });

  test('dies with the process that made it, even if that was killed', async () => {
    const other = join(dir, 'other');
    const program = `
      import { Lab } from ${JSON.stringify(join(import.meta.dirname, '..', '..', 'lab', 'lab.ts'))};
      const lab = await Lab.create({ dir: ${JSON.stringify(other)} });
      const laptop = await lab.addLaptop({ name: 'ada' });
      laptop.spawn(['/bin/sleep', '1007']);
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);
      await new Promise((resolve) => setTimeout(resolve, 10_000));`;
    await expect(execute(process.execPath, ['--input-type=module', '-e', program])).rejects.toMatchObject({
      signal: 'SIGKILL',
    });
    const alive = async () => (await execute('/bin/ps', ['axww', '-o', 'args'])).stdout;
    await expect.poll(alive).not.toContain('sleep 1007');
    await expect.poll(alive).not.toContain(other);
    expect(await attachLab(other)).toBeUndefined();
  });

  test('is created with a laptop and removed, and leaves the host unchanged', async () => {
    const second = await Lab.create({ dir: join(dir, 'second') });
    await second.addLaptop({ name: 'ada' });
    await second.destroy();
    expect(await hostState()).toBe(hostBefore);
  });
});
