import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Lab, type Laptop } from '../../lab/lab.ts';

const repository = join(import.meta.dirname, '..', '..', '..');
const clone = '/srv/clone';
const script = `${clone}/installers/prepare-machine.sh`;
let dir: string;
let lab: Lab;

/** A laptop with a route, but without names, and a clone on which nothing was prepared yet: what it fetches fails by the network. */
async function freshMachine(name: string): Promise<Laptop> {
  const laptop = await lab.addLaptop({ name });
  const copy = `ip route replace default dev eth0 && mkdir -p "$2" && cd "$1" &&
    cp -r installers package.json package-lock.json .npmrc "$2"`;
  expect(await laptop.run(['/bin/sh', '-c', copy, 'sh', repository, clone])).toMatchObject({ code: 0 });
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

describe('preparing an unsuitable machine ends with an error and a hint', () => {
  let machines = 0;
  const withNode = (version: string): string =>
    `mkdir -p /tmp/bin; printf '#!/bin/sh\\necho v${version}\\n' >/tmp/bin/node; chmod 755 /tmp/bin/node; PATH=/tmp/bin:$PATH;`;
  const withoutGo = 'rm -rf /usr/local/go/bin "$(command -v go)" /usr/bin/go;';

  const noRoute = 'ip route del default;';
  const fedora = `rm /etc/os-release; printf 'ID=fedora\\nVERSION_ID=44\\nPRETTY_NAME="Fedora Linux 44"\\n' >/etc/os-release;`;
  test.each([
    ['wrong usage', `bash ${script} --for fun`, /^2 error: .*\[usage\]\ndetails: --for must be demo/u],
    [
      'not root',
      `setpriv --reuid 65534 --clear-groups bash ${script}`,
      /^3 error: root is needed.*\nhint: run it again as root/u,
    ],
    [
      'an old Node',
      `${withNode('18.20.0')} bash ${script}`,
      /^5 error: Node 18\.20\.0 is too old\nhint: install Node 20/u,
    ],
    ['no network', `${noRoute} bash ${script}`, /^6 error: this machine has no network\nhint: connect it/u],
    [
      'a full disk',
      `mkdir /srv/small && mount -t tmpfs -o size=50m small /srv/small && cp -r ${clone} /srv/small
       bash /srv/small/clone/installers/prepare-machine.sh`,
      /^7 error: not enough disk space: about \d+ MB are needed at \/srv\/small\/clone, \d+ MB are free\nhint: free some space/u,
    ],
    ['no Go', `${withoutGo} bash ${script}`, /^5 error: Go is missing\nhint: install Go 1\.25/u],
    [
      'no Maven, for what only Maven fetches',
      `rm -f "$(command -v mvn)"; bash ${script} --for single-sign-on`,
      /^5 error: Maven is missing\nhint: install it, and a Java that it runs in/u,
    ],
    [
      'another distribution',
      `${fedora} bash ${script}`,
      /^4 error: Fedora Linux 44 is not supported\nhint: use Debian 12 or Ubuntu 24\.04/u,
    ],
    [
      'several at once, each with a hint, and nothing was changed',
      `${noRoute} ${fedora} ${withoutGo} ${withNode('18.20.0')}
       setpriv --reuid 65534 --clear-groups bash ${script}; code=$?; ls -A ${clone}; exit $code`,
      new RegExp(
        [
          '^3 .npmrc\ninstallers\npackage-lock.json\npackage.json',
          'error: root is needed.*\nhint: .*',
          'error: Fedora Linux 44 is not supported\nhint: .*',
          'error: Node 18.20.0 is too old\nhint: .*',
          'error: Go is missing\nhint: .*',
          'error: this machine has no network\nhint: connect it to a network that reaches the package registries$',
        ].join('\n'),
        'u',
      ),
    ],
  ])('%s', async (name, text, expected) => {
    const laptop = await freshMachine(`m${machines++}`);
    expect(await type(laptop, text), name).toMatch(expected);
    await laptop.powerOff();
  });
});

test('a prepared machine is left alone', async () => {
  const laptop = await lab.addLaptop({ name: 'bob' });
  const result = await laptop.run(['/bin/bash', join(repository, 'installers', 'prepare-machine.sh'), '--for', 'test']);
  expect(result).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(await laptop.changes()).toEqual([]);
});

test('a registry that cannot be reached is tried three times, and no service is started by an installation', async () => {
  const laptop = await freshMachine('eve');
  const text = `dpkg --force-depends -P jq >/dev/null 2>&1; printf '#!/bin/sh\\nexit 0\\n' >/usr/sbin/policy-rc.d
    bash ${script} --for demo; code=$?; cat /usr/sbin/policy-rc.d; exit $code`;
  const said = await type(laptop, text);
  expect(said).toMatch(/^6 /u);
  expect(said).toContain('again in 3 s (2 of 2)');
  expect(said).toContain('a package registry cannot be reached');
  // The machine's own policy is back.
  expect(said).toContain('#!/bin/sh\nexit 0');
});
