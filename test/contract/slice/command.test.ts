import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { EXIT } from '../../../src/core/error-codes.ts';
import type { SliceConfig } from '../../../src/slice/config/slice-config.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';

/**
 * The real program in its own network namespace: real step-ca, real WireGuard. The namespace lives as long as the
 * holder process; every command runs in it with nsenter.
 */
const MAIN = path.resolve(import.meta.dirname, '../../../src/apps/slice/main.ts');
const run = promisify(execFile);
const INTERFACE = `kiwi-t${process.pid % 100_000}`;

let parent: string;
let dir: string;
let holder: ReturnType<typeof spawn>;
const ups: ReturnType<typeof spawn>[] = [];

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const inside = async (...argv: string[]): Promise<Ended> => {
  return run('/usr/bin/nsenter', ['-t', `${holder.pid}`, '-n', ...argv], { timeout: 240_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    },
  );
};
const slice = (...args: string[]): Promise<Ended> => inside(process.execPath, MAIN, ...args);

const up = async (): Promise<ReturnType<typeof spawn>> => {
  const argv = ['-t', `${holder.pid}`, '-n', process.execPath, MAIN, 'up', '--dir', dir, '--json'];
  const child = spawn('/usr/bin/nsenter', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  ups.push(child);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('"type":"ready"')) resolve();
    });
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('exit', (code) => reject(new Error(`up ended with ${code ?? -1}: ${said}`)));
  });
  return child;
};
const ended = (child: ReturnType<typeof spawn>): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('exit', resolve);
  });

const interfaceThere = async (): Promise<boolean> =>
  (await inside('/usr/sbin/ip', 'link', 'show', INTERFACE)).code === 0;
const forwarding = async (): Promise<string> =>
  (await inside('/bin/cat', '/proc/sys/net/ipv4/ip_forward')).stdout.trim();
const status = async (): Promise<{ state: string }> =>
  JSON.parse((await slice('status', '--dir', dir, '--json')).stdout) as { state: string };

const INIT = ['--slug', 'acme', '--name', 'Acme GmbH', '--gateway-url', 'https://enroll.acme.example'];

beforeAll(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'kiwi-cmd-'));
  dir = path.join(parent, 'd');
  holder = spawn('/usr/bin/unshare', ['--net', '/bin/sleep', 'infinity'], { stdio: 'ignore' });
  // Only after it is in its own namespace: what follows would otherwise change the host.
  const ours = await readlink('/proc/self/ns/net');
  while ((await readlink(`/proc/${holder.pid}/ns/net`)) === ours) await new Promise(setImmediate);
  await inside('/usr/sbin/ip', 'link', 'set', 'lo', 'up');
  await inside('/bin/sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward');
});
afterAll(async () => {
  await slice('down', '--dir', dir);
  for (const child of ups) child.kill('SIGKILL');
  holder.kill('SIGKILL');
  await rm(parent, { recursive: true, force: true });
});

describe('kiwistack-slice init', () => {
  test('makes folders and keys that only the owner can read', async () => {
    const made = await slice('init', '--dir', dir, ...INIT, '--interface', INTERFACE);
    expect(made.code, made.stderr).toBe(0);
    for (const name of await readdir(dir, { recursive: true })) {
      const { mode } = await stat(path.join(dir, name));
      if (!name.endsWith('.crt')) expect([name, mode & 0o077]).toEqual([name, 0]);
    }
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  test('refuses a folder that holds a slice', async () => {
    const again = await slice('init', '--dir', dir, ...INIT, '--json');
    expect([again.code, JSON.parse(again.stdout)]).toMatchObject([EXIT.usage, { error: { code: 'slice-exists' } }]);
  });

  test('makes a slice that root can run although an ordinary user owns it, but with no file of a third user', async () => {
    await run('/bin/chown', ['-R', '12345:12345', dir]);
    const config = path.join(dir, 'slice.json');
    await run('/bin/chown', ['54321', config]);
    const refused = await slice('status', '--dir', dir, '--json');
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([
      EXIT.fault,
      { error: { code: 'slice-damaged' } },
    ]);
    // The slice stays the user's, and the tests below run it that way.
    await run('/bin/chown', ['12345', config]);
    expect(await status()).toMatchObject({ state: 'stopped' });
  });

  test.each([
    ['a slug in capitals', ['--slug', 'ACME', '--name', 'x', '--gateway-url', 'https://e.example']],
    ['a URL without TLS', ['--slug', 'acme', '--name', 'x', '--gateway-url', 'http://e.example']],
    ['a root that is none', [...INIT, '--yubico-root', '/etc/hostname']],
    ['a Fleet configuration that is not there', [...INIT, '--fleet-config', '/nowhere']],
  ])('leaves nothing when it fails on %s', async (_name, args) => {
    const failed = await slice('init', '--dir', path.join(parent, 'failed'), ...args);
    expect(failed.code, failed.stderr).not.toBe(0);
    expect((await readdir(parent)).filter((name) => name.includes('failed'))).toEqual([]);
  });
});

describe('a registry that was lost', () => {
  const operator = path.resolve(import.meta.dirname, '../../../src/apps/operator/main.ts');

  test.each([
    ['is missing', 'registry.sqlite: the registry is missing', async (file: string) => rm(file)],
    ['is empty', 'registry.sqlite: the registry is empty', async (file: string) => writeFile(file, '')],
    [
      'is garbage',
      'registry.sqlite: the registry is not a database',
      async (file: string) => writeFile(file, 'x'.repeat(5000)),
    ],
  ])('and %s makes up, status and the operator fail, and is not replaced by a new one', async (_, detail, lose) => {
    const file = slicePaths(dir).registry;
    const kept = await readFile(file);
    await lose(file);
    try {
      for (const program of [
        [MAIN, 'up'],
        [MAIN, 'status'],
        [operator, 'yubikey', 'list'],
      ]) {
        const said = await inside(process.execPath, ...program, '--dir', dir, '--json');
        const answer = JSON.parse(said.stdout) as { error: object };
        expect([said.code, answer.error], program.join(' ')).toMatchObject([
          EXIT.fault,
          { code: 'slice-damaged', detail: expect.stringContaining(detail) as string },
        ]);
      }
      expect(await readFile(file).catch(() => undefined)).not.toEqual(kept);
      expect(await interfaceThere()).toBe(false);
    } finally {
      await writeFile(file, kept, { mode: 0o600 });
      await run('/bin/chown', ['12345:12345', file]);
    }
  });
});

describe('kiwistack-slice up, status, down', () => {
  test('names what holds a port or an interface that it needs', async () => {
    const { wireguard, gateway } = JSON.parse(await readFile(path.join(dir, 'slice.json'), 'utf8')) as SliceConfig;
    const tryUp = async (): Promise<unknown[]> => {
      const { code, stdout } = await slice('up', '--dir', dir, '--json', '--log', 'error');
      return [code, JSON.parse(stdout) as unknown];
    };
    const there = ['link', 'add', wireguard.interface, 'type', 'veth', 'peer', 'name', 'other-end'];
    expect(await inside('/usr/sbin/ip', ...there)).toMatchObject({ code: 0 });
    expect(await tryUp()).toMatchObject([
      EXIT.usage,
      {
        error: {
          code: 'slice-conflict',
          detail: expect.stringContaining(`interface ${wireguard.interface}`) as string,
        },
      },
    ]);
    await inside('/usr/sbin/ip', 'link', 'delete', wireguard.interface);
    const listener = `require('net').createServer().listen(${gateway.listen.port}, () => console.log('here'))`;
    const holding = spawn('/usr/bin/nsenter', ['-t', `${holder.pid}`, '-n', process.execPath, '-e', listener], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    ups.push(holding);
    await once(holding.stdout, 'data');
    expect(await tryUp()).toMatchObject([
      EXIT.usage,
      {
        error: {
          code: 'slice-conflict',
          detail: expect.stringMatching(/gateway: TCP port 443 is in use by .*process \d+/u) as string,
        },
      },
    ]);
    holding.kill('SIGKILL');
    await once(holding, 'exit');
    expect(await interfaceThere()).toBe(false);
  }, 120_000);

  test('runs every part, reports it, stops without a trace, and starts again with its state', async () => {
    for (let round = 0; round < 2; round++) {
      const child = await up();
      expect(await status()).toMatchObject({
        state: 'running',
        parts: { gateway: true, stepCa: true, endpoint: true, auditWhole: true, fleet: 'not-configured' },
      });
      expect([await interfaceThere(), await forwarding()]).toEqual([true, '1']);
      const second = await slice('up', '--dir', dir, '--json');
      expect(JSON.parse(second.stdout)).toMatchObject({ result: 'error', error: { code: 'slice-running' } });
      expect((await slice('down', '--dir', dir)).code).toBe(0);
      expect(await ended(child)).toBe(0);
      expect([await interfaceThere(), await forwarding()]).toEqual([false, '0']);
      expect(await readdir(path.join(dir, 'run'))).toEqual([]);
      expect(await status()).toMatchObject({ state: 'stopped' });
    }
  });

  test('says of a change of Fleet whether the slice has to be restarted for it', async () => {
    const file = path.join(parent, 'fleet.json');
    await writeFile(path.join(parent, 'secret'), 'secret');
    const secret = { apiTokenFile: 'secret', enrollSecretFile: 'secret', packages: [] };
    const serverCaFile = slicePaths(dir).msp.certificate;
    await writeFile(file, JSON.stringify({ url: 'https://fleet.example', serverCaFile, ...secret }));
    const set = async (): Promise<unknown> =>
      JSON.parse((await slice('fleet', '--dir', dir, '--config', file, '--json')).stdout);
    expect(await set()).toMatchObject({ result: 'fleet-set', restartNeeded: false });
    const child = await up();
    expect(await set()).toMatchObject({ result: 'fleet-set', restartNeeded: true });
    expect((await slice('fleet', '--dir', dir, '--config', file)).stdout).toContain('Restart it');
    child.kill('SIGTERM');
    expect(await ended(child)).toBe(0);
    await rm(slicePaths(dir).fleet);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('stops on %s', async (signal) => {
    const child = await up();
    child.kill(signal);
    expect(await ended(child)).toBe(0);
    expect(await interfaceThere()).toBe(false);
  });

  test('outlives its terminal, and stops without a trace', async () => {
    const child = await up();
    child.stdout?.destroy();
    child.stderr?.destroy();
    for (let round = 0; round < 2; round++) {
      // Every request is logged, but nobody reads the log.
      await inside('/usr/bin/curl', '--silent', '--insecure', 'https://127.0.0.1/healthz');
      expect(await status()).toMatchObject({ state: 'running' });
    }
    child.kill('SIGHUP');
    expect(await ended(child)).toBe(0);
    expect([await interfaceThere(), await stepCaPids()]).toEqual([false, []]);
  });

  test('runs and stops while the disk of its log is full', async () => {
    const script = `exec "$@" >/dev/full 2>/dev/full`;
    const argv = ['-t', `${holder.pid}`, '-n', process.execPath, MAIN, 'up', '--dir', dir];
    const child = spawn('/bin/sh', ['-c', script, 'sh', '/usr/bin/nsenter', ...argv], { stdio: 'ignore' });
    ups.push(child);
    await expect.poll(async () => (await status()).state).toBe('running');
    await inside('/usr/bin/curl', '--silent', '--insecure', 'https://127.0.0.1/healthz');
    expect(await status()).toMatchObject({ state: 'running' });
    expect((await slice('down', '--dir', dir)).code).toBe(0);
    expect(await ended(child)).toBe(0);
  });

  test('recovers after it was killed: no second step-ca, no stale interface', async () => {
    const child = await up();
    const before = await stepCaPids();
    child.kill('SIGKILL');
    await ended(child);
    expect(await status()).toMatchObject({ state: 'killed' });
    const next = await up();
    expect(await status()).toMatchObject({ state: 'running' });
    const after = await stepCaPids();
    expect([before.length, after.length, after.some((pid) => before.includes(pid))]).toEqual([1, 1, false]);
    next.kill('SIGKILL');
    await ended(next);
    expect((await slice('down', '--dir', dir, '--json')).stdout).toContain('cleaned-up');
    expect([await interfaceThere(), await forwarding(), await stepCaPids()]).toEqual([false, '0', []]);
  });

  test('refuses a CA that would renew certificates', async () => {
    const file = path.join(dir, 'ca', 'ca.json');
    const good = await readFile(file, 'utf8');
    for (const bad of [
      good.replace('"disableRenewal": true', '"disableRenewal": false'),
      good.replace('"provisioners": [', '"provisioners": [{"type":"ACME","name":"acme"},'),
      good.replace('.Token.device.role', '.Insecure.CR.Subject.CommonName'),
    ]) {
      expect(bad).not.toBe(good);
      await writeFile(file, bad);
      const refused = await slice('up', '--dir', dir, '--json');
      expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'slice-unsafe' } });
    }
    await writeFile(file, good);
  });
});

/** The processes of step-ca whose working directory is this slice's. */
async function stepCaPids(): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const text = async (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
    if (!(await text('cmdline')).includes('step-ca\0ca.json')) continue;
    if ((await text('environ')).includes(`STEPPATH=${path.join(dir, 'ca')}`)) found.push(pid);
  }
  return found;
}
