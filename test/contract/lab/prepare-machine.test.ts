import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Lab, type Laptop } from '../../lab/lab.ts';

const repository = join(import.meta.dirname, '..', '..', '..');
const script = '/opt/clone/installers/prepare-machine.sh';
let dir: string;
let lab: Lab;

/** A laptop without a way out, with a clone on which nothing was prepared yet. */
async function freshMachine(name: string): Promise<Laptop> {
  const laptop = await lab.addLaptop({ name });
  const copy = `ip route del default && mkdir /opt/clone && cd "$1" &&
    cp -r installers package.json package-lock.json .npmrc /opt/clone`;
  expect((await laptop.run(['/bin/sh', '-c', copy, 'sh', repository])).code).toBe(0);
  return laptop;
}

/** Runs a shell script as a tester would type it; exit code and what was said, as one text. */
async function type(laptop: Laptop, text: string): Promise<string> {
  const { code, stdout, stderr } = await laptop.run(['/bin/bash', '-c', text]);
  return `${code} ${stdout}${stderr}`.trim();
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lab-prepare-'));
  lab = await Lab.create({ dir });
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});

describe('preparing a machine that does not fit ends with a clear word', () => {
  let laptop: Laptop;
  beforeAll(async () => {
    laptop = await freshMachine('ada');
  });
  const withNode = (version: string) =>
    `mkdir -p /tmp/bin && printf '#!/bin/sh\\necho v${version}\\n' >/tmp/bin/node && chmod 755 /tmp/bin/node && PATH=/tmp/bin:$PATH`;

  test.each([
    ['wrong usage', `bash ${script} --for fun`, /^2 usage: bash installers\/prepare-machine\.sh/u],
    [
      'not root',
      `setpriv --reuid 65534 --clear-groups bash ${script}`,
      /^3 error: root is needed.*hint: run it again as root/su,
    ],
    [
      'an old Node',
      `${withNode('18.20.0')} bash ${script}`,
      /^5 error: Node 18\.20\.0 is too old\nhint: install Node 20/u,
    ],
    ['no network', `bash ${script}`, /6 .*error: npm ci: this machine has no network\nhint: connect it/su],
    [
      'no network for packages',
      `dpkg --force-depends -P jq >/dev/null 2>&1; bash ${script} --for demo`,
      /^6 prepare: installs 1 Debian packages:\n {2}jq {16}reads JSON in scripts\nerror: apt-get update: this machine has no network/u,
    ],
    [
      'a full disk',
      `mkdir /opt/small && mount -t tmpfs -o size=50m small /opt/small && cp -r /opt/clone /opt/small && bash /opt/small/clone/installers/prepare-machine.sh`,
      /^7 error: not enough disk: about \d+ MB are needed at \/opt\/small\/clone, \d+ MB are free/u,
    ],
    [
      'no Go',
      `rm -f /usr/local/go/bin/go /usr/bin/go; bash ${script}`,
      /^5 error: Go is missing\nhint: install Go 1\.25/u,
    ],
    [
      'another distribution',
      `rm /etc/os-release && printf 'ID=fedora\\nVERSION_ID=44\\nPRETTY_NAME="Fedora Linux 44"\\n' >/etc/os-release; bash ${script}`,
      /^4 error: Fedora Linux 44 is not supported\nhint: supported are Debian 12 and Ubuntu 24\.04/u,
    ],
  ])('%s', async (_, text, expected) => {
    expect(await type(laptop, text)).toMatch(expected);
  });
});

test('a prepared machine is left alone, at once', async () => {
  const laptop = await lab.addLaptop({ name: 'bob' });
  const started = performance.now();
  const result = await laptop.run(['/bin/bash', join(repository, 'installers', 'prepare-machine.sh'), '--for', 'test']);
  expect(result).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(performance.now() - started).toBeLessThan(1000);
});

test('a registry that cannot be reached is tried three times, and no service is started by an installation', async () => {
  const laptop = await freshMachine('eve');
  // With a route, but without names: apt fails by the network.
  const text = `ip route add default dev eth0
    dpkg --force-depends -P jq >/dev/null 2>&1; printf '#!/bin/sh\\nexit 0\\n' >/usr/sbin/policy-rc.d
    bash ${script} --for demo; code=$?; cat /usr/sbin/policy-rc.d; exit $code`;
  const said = await type(laptop, text);
  expect(said).toMatch(/^6 /u);
  expect(said).toContain('again in 3 s (2 of 2)');
  expect(said).toContain('a package registry cannot be reached');
  // The machine's own policy is back.
  expect(said).toContain('#!/bin/sh\nexit 0');
});
