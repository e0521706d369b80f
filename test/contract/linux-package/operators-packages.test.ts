import { copyFile, readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { systemClock } from '../../../src/core/clock.ts';
import type { Laptop } from '../../lab/lab.ts';
import type { RunResult } from '../../lab/run-in-room.ts';
import { makeLab, must } from '../linux/drive.ts';
import { withoutAptTraces } from './apt-traces.ts';
import { buildDeb } from './build.ts';

const STEP_CA = path.join(import.meta.dirname, '../../../.cache/bin/step-ca');
const SLICES = '/var/lib/kiwistack-slice';
const DIR = `${SLICES}/acme`;
const UNIT = 'kiwistack-slice@acme.service';
const NAMES = ['kiwistack-operator', 'kiwistack-slice'] as const;

let machine: Laptop;
let destroy: () => Promise<void>;
let debs: string[];
let newer: string;
let before: string[];

const run = (...argv: string[]): Promise<RunResult> => machine.run(argv);
const sh = (script: string): Promise<string> => must(machine, ['/bin/sh', '-ec', script]);
const slice = (...args: string[]): Promise<RunResult> => machine.run(['/usr/bin/kiwistack-slice', ...args]);
const operator = (...args: string[]): Promise<RunResult> => machine.run(['/usr/bin/kiwistack-operator', ...args]);
const changes = async (): Promise<string[]> => withoutAptTraces(await machine.changes());
const state = async (): Promise<string> =>
  (JSON.parse((await slice('status', '--dir', DIR, '--json')).stdout) as { state: string }).state;

beforeAll(async () => {
  const made = await makeLab();
  destroy = made.destroy;
  const { dir } = made.lab;
  debs = [];
  for (const name of NAMES) debs.push(await buildDeb(dir, ['--package', name, '--kind', 'test']));
  newer = await buildDeb(dir, ['--package', 'kiwistack-slice', '--kind', 'test', '--version', '0.1.0+1']);
  machine = await made.lab.addLaptop({ name: 'server' });
  before = await changes();
}, 300_000);
afterAll(() => destroy());

describe('the packages of those who run slices', () => {
  it('are installed by apt, without a word too many', async () => {
    const argv = ['/usr/bin/apt-get', 'install', '-q', '-y', '--no-install-recommends', ...debs];
    const { code, stderr } = await machine.run(argv, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
    expect(stderr.split('\n').filter((line) => !/^(|debconf: delaying .*)$/u.test(line))).toEqual([]);
    expect(code).toBe(0);
    for (const name of NAMES) expect((await run('/usr/bin/dpkg', '--verify', name)).stdout).toBe('');
  });

  it('have these files, all of them root’s', async () => {
    const files = (await sh(`dpkg -L ${NAMES.join(' ')}`)).trim().split('\n').filter(Boolean);
    const listing = await must(machine, ['/usr/bin/stat', '-c', '%A %U:%G %n', ...new Set(files)]);
    const plain = listing.split('\n').filter((line) => line.startsWith('-') && !line.includes('/usr/share/doc/'));
    expect(plain.map((line) => line.replace(' root:root', '')).sort()).toMatchInlineSnapshot(`
      [
        "-rw-r--r-- /usr/lib/kiwistack-operator/build/Release/keytar.node",
        "-rw-r--r-- /usr/lib/kiwistack-operator/build/Release/locked_memory.node",
        "-rw-r--r-- /usr/lib/kiwistack-operator/build/Release/pkcs11.node",
        "-rw-r--r-- /usr/lib/kiwistack-operator/kiwistack-operator.bundle.js",
        "-rw-r--r-- /usr/lib/kiwistack-operator/kiwistack-operator.bundle.js.cache",
        "-rw-r--r-- /usr/lib/kiwistack-operator/kiwistack-operator.js",
        "-rw-r--r-- /usr/lib/kiwistack-operator/package.json",
        "-rw-r--r-- /usr/lib/kiwistack-operator/token-host.bundle.js",
        "-rw-r--r-- /usr/lib/kiwistack-operator/token-host.bundle.js.cache",
        "-rw-r--r-- /usr/lib/kiwistack-operator/token-host.js",
        "-rw-r--r-- /usr/lib/kiwistack-slice/kiwistack-slice.bundle.js",
        "-rw-r--r-- /usr/lib/kiwistack-slice/kiwistack-slice.bundle.js.cache",
        "-rw-r--r-- /usr/lib/kiwistack-slice/kiwistack-slice.js",
        "-rw-r--r-- /usr/lib/kiwistack-slice/package.json",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-slice@.service",
        "-rw-r--r-- /usr/share/bash-completion/completions/kiwistack-operator",
        "-rw-r--r-- /usr/share/bash-completion/completions/kiwistack-slice",
        "-rw-r--r-- /usr/share/lintian/overrides/kiwistack-operator",
        "-rw-r--r-- /usr/share/lintian/overrides/kiwistack-slice",
        "-rw-r--r-- /usr/share/man/man8/kiwistack-operator.8.gz",
        "-rw-r--r-- /usr/share/man/man8/kiwistack-slice.8.gz",
        "-rw-r--r-- /usr/share/zsh/vendor-completions/_kiwistack-operator",
        "-rw-r--r-- /usr/share/zsh/vendor-completions/_kiwistack-slice",
        "-rwxr-xr-x /usr/bin/kiwistack-operator",
        "-rwxr-xr-x /usr/bin/kiwistack-slice",
        "-rwxr-xr-x /usr/lib/kiwistack-operator/bin/node",
        "-rwxr-xr-x /usr/lib/kiwistack-slice/bin/node",
      ]
    `);
  });

  it.each(NAMES)('have %s in /usr/bin, whatever variables the caller has', async (name) => {
    await machine.run(['/usr/bin/tee', '/tmp/evil.js'], { input: "console.log('evil')" });
    const env = { NODE_OPTIONS: '--require=/tmp/evil.js', OPENSSL_CONF: '/tmp/evil.cnf', PATH: '/tmp', IFS: '/' };
    const version = await machine.run([`/usr/bin/${name}`, '--version'], { env, cwd: '/tmp' });
    expect(version).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  it.each(NAMES)('have a man page of %s without warnings', async (name) => {
    const { code, stdout, stderr } = await run('/usr/bin/man', '--warnings', '-P', 'cat', name);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.length).toBeGreaterThan(3000);
    expect(await sh(`whatis ${name}`)).toContain('slice');
  });

  it('complete commands and options in bash', async () => {
    const complete = async (name: string, ...words: string[]): Promise<string> => {
      const script = `. /usr/share/bash-completion/completions/${name}
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _${name.replace('-', '_')}; echo "\${COMPREPLY[@]}"`;
      return (await must(machine, ['/bin/bash', '-c', script, 'complete', name, ...words])).trim();
    };
    expect(await complete('kiwistack-operator', 'yubikey', 'bu')).toBe('burn');
    expect(await complete('kiwistack-operator', 'device', 'end', 'anna', '--why', 'l')).toBe('lost');
    expect(await complete('kiwistack-slice', 'intermediate', '')).toContain('request');
  });

  it('have a unit that systemd accepts, closed as far as WireGuard and nftables allow', async () => {
    expect(await sh(`cd /usr/lib/systemd/system; systemd-analyze verify ${UNIT} 2>&1`)).toBe('');
    const security = await sh(`systemd-analyze security --offline=yes ${UNIT}`);
    const exposure = Number(/Overall exposure level.*: ([\d.]+)/u.exec(security)?.[1]);
    expect(exposure).toBeGreaterThan(0);
    expect(exposure).toBeLessThan(4);
  });

  it('do not find step-ca where there is none, and say what to install', async () => {
    const init = ['--slug', 'acme', '--name', 'Acme GmbH', '--gateway-url', 'https://enroll.acme.example'];
    expect((await slice('init', '--dir', DIR, ...init)).code).toBe(0);
    const { code, stderr } = await slice('up', '--dir', DIR);
    expect({ code, stderr }).toEqual({ code: 6, stderr: expect.stringContaining('[tool-missing]') as string });
    expect(stderr).toContain('install the package step-ca of its makers');
  });
});

describe('the service', () => {
  it('runs a slice, which the packaged operator sees', async () => {
    await copyFile(STEP_CA, machine.path('/usr/local/bin/step-ca'));
    await sh('chmod 755 /usr/local/bin/step-ca');
    await sh(`systemctl enable --now ${UNIT}`);
    await expect.poll(state, { timeout: 60_000 }).toBe('running');
    expect(await operator('device', 'list', '--dir', DIR)).toMatchObject({ code: 0, stdout: 'None.\n' });
    expect((await operator('audit', 'verify', '--dir', DIR)).code).toBe(0);
    const now = new Date();
    const quarter = `${now.getUTCFullYear()}-Q${Math.floor(now.getUTCMonth() / 3) + 1}`;
    const report = await operator('report', 'quarterly', '--dir', DIR, '--quarter', quarter);
    expect(report).toMatchObject({ code: 0, stdout: expect.stringContaining('Total: 100 of 100') as string });
    expect(await sh(`journalctl -u ${UNIT}`)).toContain('The slice of Acme GmbH is up');
  });

  it('is examined by the doctor, which finds what somebody has changed under it', async () => {
    const examined = async (): Promise<string[]> => {
      const { stdout } = await slice('doctor', '--dir', DIR, '--json');
      const { checks } = JSON.parse(stdout) as { checks: readonly { code: string; state: string; saw: string }[] };
      return checks.filter(({ state: found }) => found === 'not-well').map(({ code }) => code);
    };
    // A room has no time service; Fleet, and what init leaves for a person to do, are not there either.
    const todo = ['backup-recent', 'root-key-away', 'fleet-configured'];
    const besides = async (): Promise<string[]> =>
      (await examined()).filter((code) => ![...todo, 'clock-synchronised'].includes(code));
    expect(await besides()).toEqual([]);
    await sh('echo 0 >/proc/sys/net/ipv4/ip_forward; nft delete table inet kiwistack-kiwi-slice');
    await sh('ip link add other type veth peer name far; ip addr add 10.77.0.130/25 dev other; ip link set other up');
    const key = await sh('wg genkey | wg pubkey');
    await sh(`wg set kiwi-slice peer ${key.trim()} allowed-ips 10.77.0.99/32; chmod 644 ${DIR}/operator/consent.key`);
    expect(await besides()).toEqual(['files-private', 'network-free', 'peers', 'forwarding', 'packet-filter']);
    await sh(`ip link delete other; chmod 600 ${DIR}/operator/consent.key; systemctl restart ${UNIT}`);
    await expect.poll(besides, { timeout: 60_000 }).toEqual([]);
  });

  it('publishes a list of revoked certificates, which the packaged program fetches and verifies', async () => {
    const { code, stdout, stderr } = await slice('crl', '--dir', DIR, '--json');
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'result' });
  });

  it('takes its web certificate again when it is reloaded', async () => {
    await sh(`systemctl reload ${UNIT}`);
    await expect.poll(() => sh(`journalctl -u ${UNIT}`)).toContain('the web certificate was replaced');
    expect(await state()).toBe('running');
  });

  it('goes on with the new program when the package is upgraded', async () => {
    const old = await sh(`systemctl show -P MainPID ${UNIT}`);
    const { code, stderr } = await run('/usr/bin/dpkg', '-i', newer);
    expect(code, stderr).toBe(0);
    await expect.poll(state, { timeout: 60_000 }).toBe('running');
    expect(await sh(`systemctl show -P MainPID ${UNIT}`)).not.toBe(old);
  });

  it('stops without a trace', async () => {
    await sh(`systemctl stop ${UNIT}`);
    expect(await state()).toBe('stopped');
    expect((await run('/usr/sbin/ip', 'link', 'show', 'kiwi-slice')).code).not.toBe(0);
    expect(await sh('nft list tables')).toBe('');
    await sh(`systemctl start ${UNIT}`);
    await expect.poll(state, { timeout: 60_000 }).toBe('running');
  });
});

describe('removing them', () => {
  it('stops the slices, and leaves their data', async () => {
    const key = await readFile(machine.path(`${DIR}/ca/intermediate.key`));
    const removed = await run('/usr/bin/dpkg', '--remove', ...NAMES);
    expect(removed.code, removed.stderr).toBe(0);
    expect((await run('/usr/sbin/ip', 'link', 'show', 'kiwi-slice')).code).not.toBe(0);
    expect(await readFile(machine.path(`${DIR}/ca/intermediate.key`))).toEqual(key);
  });

  it('purged too, and says so', async () => {
    const { code, stderr } = await run('/usr/bin/dpkg', '--purge', ...NAMES);
    expect(code).toBe(0);
    expect(stderr).toContain(`the slices in ${SLICES} were left as they are`);
    expect(await readFile(machine.path(`${DIR}/slice.json`), 'utf8')).toContain('acme');
    await sh(`systemctl disable ${UNIT} || true`);
    for (const file of [SLICES, '/usr/local/bin/step-ca', `/etc/systemd/system/multi-user.target.wants/${UNIT}`]) {
      await rm(machine.path(file), { recursive: true, force: true });
    }
    // The clock of a room is the machine's: what was written within its last moments is on the disk.
    await systemClock.sleep(10);
    expect(await changes()).toEqual(before);
  });
});
