import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { Lab, type Laptop } from '../../lab/lab.ts';

let dir: string;
let lab: Lab;
let laptop: Laptop;
let hostResolver: string;

beforeAll(async () => {
  hostResolver = await readFile('/etc/resolv.conf', 'utf8');
  dir = await mkdtemp(join(tmpdir(), 'lab-resolved-'));
  lab = await Lab.create({ dir });
  laptop = await lab.addLaptop({ name: 'ada', resolved: true });
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await laptop.run(argv);
  return `${code} ${stdout}${stderr}`.trim();
}

test('a laptop can have a real systemd-resolved, which splits names by domain', async () => {
  const server = lab.slice.spawn(
    [
      '/usr/sbin/dnsmasq',
      '-k',
      '-C',
      '/dev/null',
      '-u',
      'root',
      '--no-resolv',
      '--no-hosts',
      '--bind-interfaces',
      '-i',
      'eth0',
    ].concat(['--pid-file=', '--address=/corp.example/10.77.1.30', '--address=/other.example/10.77.1.99']),
    { stdio: 'ignore' },
  );
  expect(await run('/usr/bin/resolvectl', 'dns', 'eth0', '203.0.113.10')).toBe('0');
  expect(await run('/usr/bin/resolvectl', 'domain', 'eth0', '~corp.example')).toBe('0');
  expect(await run('/usr/bin/resolvectl', 'default-route', 'eth0', 'false')).toBe('0');
  await expect.poll(() => run('/usr/bin/getent', 'hosts', 'intranet.corp.example')).toMatch(/^0 10\.77\.1\.30\s/u);
  // Names outside the domain are not asked there, although it would know them.
  expect(await run('/usr/bin/getent', 'hosts', 'www.other.example')).toBe('2');
  expect(await run('/usr/bin/getent', 'hosts', 'enroll.acme.example')).toMatch(/^0 203\.0\.113\.10\s/u);
  expect(await run('/usr/bin/systemctl', 'is-active', 'systemd-resolved')).toBe('0 active');
  expect(await laptop.changes()).toEqual([]);
  expect(await readFile('/etc/resolv.conf', 'utf8')).toBe(hostResolver);
  server.kill('SIGTERM');
});
