import { rm } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DebianUpdater } from '../../../../platform/linux/updater.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { FakeLinux } from './fake-linux.ts';

const FILE = '/var/lib/kiwistack/update-x/kiwistack-enroll_0.2.0_amd64.deb';
const UPDATE = { version: '0.2.0', packages: [{ name: 'kiwistack-enroll', file: FILE }] } as const;

let machine: FakeLinux;
let updater: DebianUpdater;
/** What dpkg has installed, what is in the file, and what apt says instead of installing it. */
let installed: Record<string, string>;
let inFile: string;
let refuses: { when: 'simulated' | 'done'; stderr: string } | undefined;

beforeEach(async () => {
  machine = await FakeLinux.make();
  updater = new DebianUpdater(machine);
  installed = { 'kiwistack-enroll': 'install ok installed 0.1.0' };
  inFile = 'kiwistack-enroll 0.2.0';
  refuses = undefined;
  await machine.install('/usr/bin/dpkg-query', (args) => installed[args.at(-1) ?? ''] ?? { code: 1 });
  await machine.install('/usr/bin/dpkg-deb', () => (inFile === '' ? { code: 2, stderr: 'not a package' } : inFile));
  await machine.install('/usr/bin/apt-get', (args) => {
    const simulated = args.includes('--simulate');
    if (refuses !== undefined && (refuses.when === 'simulated') === simulated)
      return { code: 100, stderr: refuses.stderr };
    if (!simulated) installed['kiwistack-enroll'] = 'install ok installed 0.2.0';
    return undefined;
  });
});
afterEach(() => rm(machine.root, { recursive: true, force: true }));

const codeOf = (): Promise<string> =>
  updater.install(UPDATE).then(
    () => 'installed',
    (error: unknown) => (error instanceof KiwiError ? `${error.code}: ${error.detail ?? ''}` : String(error)),
  );

describe('what is installed', () => {
  it('is what dpkg has installed whole, of our packages', async () => {
    installed['kiwistack-enroll-desktop'] = 'deinstall ok config-files 0.1.0';
    expect(await updater.installed()).toMatchObject({ system: 'linux', versions: { 'kiwistack-enroll': '0.1.0' } });
    installed['kiwistack-enroll-desktop'] = 'install ok installed 0.1.0';
    expect(Object.keys((await updater.installed()).versions)).toEqual(['kiwistack-enroll', 'kiwistack-enroll-desktop']);
    installed = {};
    expect((await updater.installed()).versions).toEqual({});
  });

  it('has release keys only where the package brings them', async () => {
    expect(await updater.releaseKeys()).toBeUndefined();
    await machine.write('/etc/kiwistack/release-keys.pem', 'PEM');
    expect(await updater.releaseKeys()).toBe('PEM');
  });
});

describe('installing', () => {
  it('is tried first, then done by apt, which may remove nothing and go back to nothing', async () => {
    expect(await codeOf()).toBe('installed');
    const asked = machine.ran.filter((line) => line.startsWith('apt-get'));
    expect(asked).toHaveLength(2);
    expect(asked[0]).toContain(`--simulate install ${FILE}`);
    for (const line of asked) {
      expect(line).toContain('--no-remove');
      expect(line).not.toMatch(/allow-downgrades|force-yes|allow-unauthenticated/u);
    }
  });

  it.each([
    [
      'of another name',
      'openssh-server 0.2.0',
      'update-unfit: it is openssh-server 0.2.0 instead of kiwistack-enroll 0.2.0',
    ],
    [
      'of another version',
      'kiwistack-enroll 0.0.1',
      'update-unfit: it is kiwistack-enroll 0.0.1 instead of kiwistack-enroll 0.2.0',
    ],
    ['that is none', '', 'update-unfit: it is no package of this system instead of kiwistack-enroll 0.2.0'],
  ])('refuses a package %s before apt sees it', async (_, content, said) => {
    inFile = content;
    expect(await codeOf()).toBe(said);
    expect(machine.ran.join('\n')).not.toContain('apt-get');
  });

  it.each([
    [
      'a dependency cannot be had',
      'simulated',
      'E: Unable to correct problems, you have held broken packages.',
      'update-not-installed',
    ],
    [
      'another program has the lock',
      'done',
      'E: Could not get lock /var/lib/dpkg/lock-frontend.',
      'package-manager-busy',
    ],
    ['the disk is full', 'done', 'dpkg: error: cannot copy: No space left on device', 'disk-full'],
    [
      'a script of the package fails',
      'done',
      'E: Sub-process /usr/bin/dpkg returned an error code (1)',
      'update-not-installed',
    ],
  ] as const)('says why when %s', async (_, when, stderr, code) => {
    refuses = { when, stderr };
    expect(await codeOf()).toContain(`${code}: `);
    expect(machine.ran.filter((line) => line.startsWith('apt-get'))).toHaveLength(when === 'simulated' ? 1 : 2);
  });
});
