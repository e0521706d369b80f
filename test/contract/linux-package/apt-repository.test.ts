import { execFile } from 'node:child_process';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Laptop } from '../../lab/lab.ts';
import type { RunResult } from '../../lab/run-in-room.ts';
import { makeLab, must } from '../linux/drive.ts';
import { withoutAptTraces } from './apt-traces.ts';
import { buildDeb } from './build.ts';
import { makeOpenpgpKey } from './openpgp-key.ts';

const SCRIPT = path.join(import.meta.dirname, '../../../installers/release/main.ts');
const NAME = 'kiwistack-enroll';
const RELEASE = 'dists/stable/InRelease';
const OPTIONS = [
  ...['-o', 'Dir::Etc::SourceList=/etc/apt/sources.list.d/kiwistack.list', '-o', 'Dir::Etc::SourceParts=-'],
  // Whatever this machine's own settings are.
  ...[
    '-o',
    'Acquire::Check-Valid-Until=true',
    '-o',
    'Acquire::Check-Date=true',
    '-o',
    'APT::Update::Error-Mode=any',
    '-q',
    '-y',
    '--no-install-recommends',
  ],
];

let laptop: Laptop;
let destroy: () => Promise<void>;
let dir: string;
let key: string;
let old: string;
let newer: string;
let before: string[];
/** The repository, in the laptop's own disk. */
let repository: string;

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function dist(args: readonly string[], env: Record<string, string> = {}): Promise<Said> {
  return promisify(execFile)(process.execPath, [SCRIPT, 'apt-repository', ...args], { env }).then(
    (said) => ({ code: 0, ...said }),
    (error: unknown) => error as Said,
  );
}

const publish = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await dist(['--out', repository, '--key', key, ...args]);
  expect(code, stderr).toBe(0);
  return stdout;
};
const apt = (...args: readonly string[]): Promise<RunResult> =>
  laptop.run(['/usr/bin/apt-get', ...OPTIONS, ...args], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
const installed = async (): Promise<string> =>
  must(laptop, ['/bin/sh', '-c', `dpkg-query -W -f '\${Status} \${Version}' ${NAME} 2>/dev/null || true`]);
const changes = async (): Promise<string[]> =>
  withoutAptTraces(await laptop.changes()).filter((line) => !line.startsWith('/var/lib/apt/lists/'));

/** Runs something against a repository that somebody has changed, and puts it back. */
async function tampered(file: string, change: (bytes: Buffer) => Buffer, then: () => Promise<void>): Promise<void> {
  const place = path.join(repository, file);
  const bytes = await readFile(place);
  await writeFile(place, change(Buffer.from(bytes)));
  try {
    await then();
  } finally {
    await writeFile(place, bytes);
  }
}

function flip(bytes: Buffer): Buffer {
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  return bytes;
}

beforeAll(async () => {
  const made = await makeLab();
  destroy = made.destroy;
  ({ dir } = made.lab);
  key = await makeOpenpgpKey(dir, 'provider');
  const args = ['--kind', 'test'];
  old = await buildDeb(dir, args);
  newer = await buildDeb(dir, [...args, '--version', '0.1.0+1']);
  laptop = await made.lab.addLaptop({ name: 'anna', resolved: true });
  repository = laptop.path('/srv/kiwistack');
  await publish(old);
  const source =
    'deb [signed-by=/srv/kiwistack/kiwistack-archive-keyring.gpg arch=amd64] file:/srv/kiwistack stable main\n';
  await writeFile(laptop.path('/etc/apt/sources.list.d/kiwistack.list'), source);
  await must(laptop, ['/usr/bin/apt-get', ...OPTIONS, 'update']);
  before = (await changes()).filter((line) => !line.startsWith('/srv/'));
});
afterAll(() => destroy());

describe('a signed apt repository', () => {
  it('is what apt installs 0.1.0 from, and upgrades to a newer version', async () => {
    const first = await apt('install', NAME);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout + first.stderr).not.toMatch(/cannot be authenticated/u);
    expect(await installed()).toBe('install ok installed 0.1.0');
    expect(await publish(newer)).toMatch(
      /^kiwistack-enroll 0\.1\.0\+1 amd64\nkiwistack-enroll 0\.1\.0 amd64\nsigned by [0-9A-F]{40}, until /u,
    );
    expect((await apt('update')).code).toBe(0);
    expect((await apt('install', '--only-upgrade', NAME)).code).toBe(0);
    expect(await installed()).toBe('install ok installed 0.1.0+1');
  });

  it('is refused with one byte of its package, its index or its signed file changed', async () => {
    await must(laptop, ['/usr/bin/apt-get', ...OPTIONS, 'purge', NAME]);
    await tampered(`pool/${path.basename(newer)}`, flip, async () => {
      const { code, stderr } = await apt('install', NAME);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/Hash Sum mismatch|unexpected size/u);
      expect(await installed()).toBe('');
    });
    await must(laptop, ['/bin/sh', '-c', 'rm -rf /var/lib/apt/lists/*kiwistack*']);
    const index = 'dists/stable/main/binary-amd64/Packages';
    await rm(path.join(repository, `${path.dirname(index)}/by-hash`), { recursive: true });
    await rm(path.join(repository, `${index}.gz`));
    await tampered(index, flip, async () => {
      const { code, stderr } = await apt('update');
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/Hash Sum mismatch|unexpected size/u);
    });
    await publish();
    await tampered(
      RELEASE,
      (bytes) => Buffer.from(bytes.toString().replace('Label: K', 'Label: L')),
      async () => {
        const { code, stderr } = await apt('update');
        expect(code).not.toBe(0);
        expect(stderr).toContain('signatures were invalid');
      },
    );
  });

  it('is refused when another key has signed it', async () => {
    const other = await makeOpenpgpKey(dir, 'somebody');
    const keyring = path.join(repository, 'kiwistack-archive-keyring.gpg');
    const trusted = await readFile(keyring);
    await dist(['--out', repository, '--key', other]);
    await writeFile(keyring, trusted);
    const { code, stderr } = await apt('update');
    expect(code).not.toBe(0);
    expect(stderr).toContain('NO_PUBKEY');
    await publish();
  });

  it('is refused when its time is over, and an older state does not take a newer one back', async () => {
    const stale = path.join(dir, 'stale');
    await cp(path.join(repository, 'dists'), stale, { recursive: true });
    // The date of a state is in whole seconds, and apt takes one of the same second.
    await sleep(1100);
    await publish('--valid-days', '1');
    expect((await apt('update')).code).toBe(0);
    const later = ['/usr/bin/faketime', '+2 days', '/usr/bin/apt-get', ...OPTIONS, 'update'];
    const expired = await laptop.run(later);
    expect(expired.code).not.toBe(0);
    expect(expired.stderr).toMatch(/is expired \(invalid since/u);
    const known = await must(laptop, ['/bin/sh', '-c', 'cat /var/lib/apt/lists/*kiwistack*InRelease']);
    const current = path.join(dir, 'current');
    await cp(path.join(repository, 'dists'), current, { recursive: true });
    await cp(stale, path.join(repository, 'dists'), { recursive: true });
    await apt('update');
    expect(await must(laptop, ['/bin/sh', '-c', 'cat /var/lib/apt/lists/*kiwistack*InRelease'])).toBe(known);
    await cp(current, path.join(repository, 'dists'), { recursive: true });
  });

  it('leaves nothing on the laptop when the package is purged', async () => {
    expect((await apt('update')).code).toBe(0);
    expect((await apt('install', NAME)).code).toBe(0);
    expect((await apt('purge', NAME)).code).toBe(0);
    expect((await changes()).filter((line) => !line.startsWith('/srv/'))).toEqual(before);
  });
});

describe('npm run dist -- apt-repository', () => {
  it('takes the key from the environment too', async () => {
    const env = { KIWISTACK_APT_KEY: await readFile(key, 'utf8') };
    expect((await dist(['--out', path.join(dir, 'by-variable'), old], env)).code).toBe(0);
  });

  it.each([
    ['no key', () => [], '--key is missing'],
    ['a key that is none', () => ['--key', '/etc/hostname'], 'the signing key: 0 OpenPGP secret keys'],
    ['a file that is no package', () => ['--key', key, '/etc/hostname'], '/etc/hostname is no Debian package'],
    ['a time that apt would never be asked to wait', () => ['--key', key, '--valid-days', '0'], '--valid-days must be'],
  ])('refuses %s', async (_, args, why) => {
    const { code, stderr } = await dist(['--out', path.join(dir, 'refused'), ...args()]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(why) as string });
  });

  it('refuses a key with a passphrase, which nobody could enter', async () => {
    const locked = await makeOpenpgpKey(dir, 'locked', 'correct horse');
    const { code, stderr } = await dist(['--out', path.join(dir, 'refused'), '--key', locked, old]);
    expect(code).not.toBe(0);
    expect(stderr).not.toContain('correct horse');
  });

  it('never publishes other bytes under a version that is published', async () => {
    const other = await buildDeb(path.join(dir, 'other'), ['--kind', 'production']);
    const { code, stderr } = await dist(['--out', repository, '--key', key, other]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('kiwistack-enroll 0.1.0 for amd64 is published already') as string,
    });
  });
});
