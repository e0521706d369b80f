import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { PATHS } from '../../../platform/linux/paths.ts';
import type { Laptop } from '../../lab/lab.ts';
import type { RunResult } from '../../lab/run-in-room.ts';
import { makeRoot } from '../../virtual-yubikey/key/make-root.ts';
import { makeLab, must } from '../linux/drive.ts';
import { buildDeb } from './build.ts';
import { withoutAptTraces } from './apt-traces.ts';

const TIMER = 'kiwistack-enroll-check.timer';
const RECORD = '/var/lib/kiwistack/enrollment.json';

let laptop: Laptop;
let destroy: () => Promise<void>;
let deb: string;
let newer: string;
let pinned: string;
let before: string[];

const run = (...argv: string[]): Promise<RunResult> => laptop.run(argv);
const sh = (script: string): Promise<string> => must(laptop, ['/bin/sh', '-ec', script]);
const stateOf = (): Promise<string> =>
  sh("dpkg-query -W -f '${Status} ${Version}' kiwistack-enroll 2>/dev/null || true");
const changes = async (): Promise<string[]> => withoutAptTraces(await laptop.changes());
const hash = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

beforeAll(async () => {
  const made = await makeLab();
  destroy = made.destroy;
  makeRoot(path.join(made.lab.dir, 'roots'));
  const roots = path.join(made.lab.dir, 'roots', 'root.crt');
  pinned = await readFile(roots, 'utf8');
  const args = ['--msp-roots', roots];
  deb = await buildDeb(made.lab.dir, args);
  const again = await buildDeb(path.join(made.lab.dir, 'again'), args);
  expect(await hash(again), 'the same sources give the same bytes').toBe(await hash(deb));
  newer = await buildDeb(made.lab.dir, [...args, '--version', '0.1.0+1']);
  laptop = await made.lab.addLaptop({ name: 'anna', resolved: true });
  before = await changes();
});
afterAll(() => destroy());

describe('what a package pins', () => {
  it.each([
    ['no file', 'nowhere', 'does not exist'],
    ['a file that is no PEM', '/etc/passwd', 'is not a PEM file of certificates only'],
    ['a key', 'root.key', 'contains a private key'],
    ['what lies around a certificate', 'noise.pem', 'is not a PEM file of certificates only'],
    ['a certificate that is none', 'broken.pem', 'contains a certificate that cannot be read'],
  ])('is not %s', async (_, name, why) => {
    const dir = path.dirname(deb);
    const write = (file: string, text: string): Promise<void> => writeFile(path.join(dir, file), text);
    await write('root.key', `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`);
    await write('noise.pem', `${pinned}\nand more\n`);
    await write('broken.pem', '-----BEGIN CERTIFICATE-----\nnot looked at here\n-----END CERTIFICATE-----\n');
    const file = path.resolve(dir, name);
    await expect(buildDeb(path.join(dir, 'refused'), ['--msp-roots', file])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`[file-unusable]\ndetails: --msp-roots: ${file} ${why}\nhint: `) as string,
    });
  });
});

describe('the package, installed', () => {
  it('is installed by apt, without a word too many', async () => {
    const { code, stderr } = await laptop.run(
      ['/usr/bin/apt-get', 'install', '-q', '-y', '--no-install-recommends', deb],
      {
        env: { DEBIAN_FRONTEND: 'noninteractive' },
      },
    );
    const said = stderr.split('\n').filter((line) => !/^(|debconf: delaying .*|Created symlink .*)$/u.test(line));
    expect(said).toEqual([]);
    expect(code).toBe(0);
    expect(await stateOf()).toMatch(/^install ok installed 0\.1\.0/);
    expect((await run('/usr/bin/dpkg', '--verify', 'kiwistack-enroll')).stdout).toBe('');
  });

  it('has these files, all of them root’s', async () => {
    const files = (await sh('dpkg -L kiwistack-enroll')).trim().split('\n');
    const listing = await must(laptop, ['/usr/bin/stat', '-c', '%A %U:%G %n', ...files]);
    const plain = listing.split('\n').filter((line) => line.startsWith('-'));
    expect(plain.map((line) => line.split(' ')[1])).toEqual(plain.map(() => 'root:root'));
    expect(plain.map((line) => line.replace(' root:root', '')).sort()).toMatchInlineSnapshot(`
      [
        "-rw-r--r-- /etc/kiwistack/msp-roots.pem",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/build/Release/locked_memory.node",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/build/Release/peer_credentials.node",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/build/Release/pkcs11.node",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-agent.bundle.js",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-agent.bundle.js.cache",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-agent.js",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-enroll.bundle.js",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-enroll.bundle.js.cache",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-enroll.js",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-key.bundle.js",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-key.bundle.js.cache",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/kiwistack-key.js",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/package.json",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/token-host.bundle.js",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/token-host.bundle.js.cache",
        "-rw-r--r-- /usr/lib/kiwistack-enroll/token-host.js",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-agent.service",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-agent.socket",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-disk.service",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-disk.timer",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-enroll-check.service",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-enroll-check.timer",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-enroll-update.service",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-enroll-update.timer",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-first-boot.service",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-mend@.service",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-watch.path",
        "-rw-r--r-- /usr/lib/systemd/system/kiwistack-watch.service",
        "-rw-r--r-- /usr/lib/systemd/system/sssd-nss.socket.d/kiwistack.conf",
        "-rw-r--r-- /usr/lib/systemd/system/sssd-pam-priv.socket.d/kiwistack.conf",
        "-rw-r--r-- /usr/lib/systemd/system/sssd-pam.socket.d/kiwistack.conf",
        "-rw-r--r-- /usr/share/bash-completion/completions/kiwistack-enroll",
        "-rw-r--r-- /usr/share/doc/kiwistack-enroll/changelog.gz",
        "-rw-r--r-- /usr/share/doc/kiwistack-enroll/copyright",
        "-rw-r--r-- /usr/share/doc/kiwistack-enroll/third-party-licenses.gz",
        "-rw-r--r-- /usr/share/lintian/overrides/kiwistack-enroll",
        "-rw-r--r-- /usr/share/man/man8/kiwistack-enroll.8.gz",
        "-rw-r--r-- /usr/share/polkit-1/actions/io.kiwistack.enroll.policy",
        "-rw-r--r-- /usr/share/zsh/vendor-completions/_kiwistack-enroll",
        "-rwxr-xr-x /usr/bin/kiwistack-enroll",
        "-rwxr-xr-x /usr/lib/kiwistack-enroll/bin/kiwistack-watch",
        "-rwxr-xr-x /usr/lib/kiwistack-enroll/bin/node",
      ]
    `);
  });

  it('runs from /usr/bin, whatever variables the caller has', async () => {
    await laptop.run(['/usr/bin/tee', '/tmp/evil.js'], { input: "console.log('evil')" });
    const env = {
      ...{ NODE_OPTIONS: '--require=/tmp/evil.js', NODE_PATH: '/tmp', NODE_EXTRA_CA_CERTS: '/tmp/evil.js' },
      ...{ OPENSSL_CONF: '/tmp/evil.cnf', SSL_CERT_FILE: '/tmp/evil.pem', PATH: '/tmp', ENV: '/tmp/evil.sh' },
      ...{ 'BASH_FUNC_set%%': '() { echo evil; }', IFS: '/', KIWISTACK_FAULT: '' },
    };
    const version = await laptop.run(['/usr/bin/kiwistack-enroll', '--version'], { env, cwd: '/tmp' });
    expect(version).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
    const help = await laptop.run(['/usr/bin/kiwistack-enroll', 'enroll', '--help'], { env });
    expect(help.stdout).toContain('Usage: kiwistack-enroll enroll');
    const status = await laptop.run(['/usr/bin/kiwistack-enroll', 'status', '--json'], { env });
    expect(status).toMatchObject({ code: 3, stderr: '' });
    expect(JSON.parse(status.stdout)).toMatchObject({ result: 'not-enrolled' });
  });

  it('hands on exactly the variables that its man page names', async () => {
    const script = `sed 's#^exec .*#exec /usr/bin/env#' /usr/bin/kiwistack-enroll >/tmp/show
      export IFS=abc ODD='x
LANG=not this one' NODE_OPTIONS=--inspect
      HTTPS_PROXY='http://a b:1/$(id)' no_proxy=x LANG=C TERM=dumb LD_DEBUG_OUTPUT=/x HOME=/y sh /tmp/show | grep -v ^PATH=/usr/sbin:`;
    expect((await sh(script)).split('\n').sort()).toEqual(
      ['', 'HTTPS_PROXY=http://a b:1/$(id)', 'LANG=C', 'TERM=dumb', 'no_proxy=x'].sort(),
    );
    const page = await sh("MANWIDTH=200 man -P cat kiwistack-enroll | col -b | sed -n '/^ENVIRONMENT/,/^FILES/p'");
    const wrapper = await readFile(laptop.path('/usr/bin/kiwistack-enroll'), 'utf8');
    const names = (/^passed=' ([^']+) '/mu.exec(wrapper)?.[1] ?? '').split(' ');
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(page).toContain(name.toUpperCase());
  });

  it('starts no program with the password of a proxy among its arguments', async () => {
    const env = { HTTPS_PROXY: 'http://anna:geheim@127.0.0.1:1' };
    // The shell says on stderr what it carries out, with the values that it puts in.
    const { code, stderr } = await laptop.run(['/bin/sh', '-px', '/usr/bin/kiwistack-enroll', '--version'], { env });
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('/bin/node --disable-sigusr1');
    expect(stderr).not.toContain('geheim');
  });

  it('is no test build: it refuses the variable that cuts a program off', async () => {
    const { code, stderr } = await laptop.run(['/usr/bin/kiwistack-enroll', 'status'], {
      env: { KIWISTACK_FAULT: 'certificate:after-intent=kill' },
    });
    expect(stderr).toContain('[fault-variable]');
    expect(code).not.toBe(0);
  });

  it('takes no other roots under pkexec, whose question covers every argument', async () => {
    const { code, stderr } = await laptop.run(['/usr/bin/kiwistack-enroll', 'enroll', '--msp-roots', '/etc/hostname'], {
      env: { PKEXEC_UID: '1000' },
    });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('not accepted under pkexec') as string,
    });
  });

  it('has a man page without warnings', async () => {
    const { code, stdout, stderr } = await run('/usr/bin/man', '--warnings', '-P', 'cat', 'kiwistack-enroll');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.length).toBeGreaterThan(3000);
    expect(await sh('whatis kiwistack-enroll')).toContain('enroll this laptop with a KiwiStack customer');
  });

  it('completes commands and options in bash', async () => {
    const complete = (...words: string[]): Promise<string> =>
      must(laptop, ['/bin/bash', '-c', COMPLETE, 'complete', 'kiwistack-enroll', ...words]).then((text) => text.trim());
    expect(await complete('')).toContain('enroll');
    expect(await complete('un')).toBe('uninstall');
    expect(await complete('enroll', '--p')).toBe('--pin-fd');
    expect(await complete('enroll', '--msp-roots', '/etc/host')).toContain('/etc/hostname');
    expect(await complete('enroll', '--serial', '')).toBe('');
    expect(await complete('help', 'st')).toBe('status');
  });

  it('asks polkit in its own words', async () => {
    const polkitd = laptop.spawn(['/usr/lib/polkit-1/polkitd', '--no-debug'], { stdio: 'ignore' });
    try {
      const ask =
        'for i in $(seq 50); do pkaction >/dev/null 2>&1 && break; sleep 0.1; done; pkaction -v -a io.kiwistack.enroll';
      const said = await sh(ask);
      expect(said, 'a second run asks again').toMatch(/implicit active: +auth_admin\n/);
      expect(said).toMatch(/implicit any: +auth_admin\n/);
      expect(said).toContain('Authentication is required to enroll this laptop');
      expect(said).toContain('org.freedesktop.policykit.exec.path -> /usr/bin/kiwistack-enroll');
    } finally {
      polkitd.kill('SIGTERM');
    }
  });

  it('shows above the login prompts what a claim says, and nothing without one', async () => {
    const show = `script -qec '/sbin/agetty --show-issue' /dev/null`;
    const plain = await sh(show);
    await sh(`mkdir -p ${path.dirname(PATHS.claimIssue)}; printf 'Six digits: 428 913\n' >${PATHS.claimIssue}`);
    expect(await sh(show)).toContain('Six digits: 428 913');
    await sh(`rm ${PATHS.claimIssue}`);
    expect(await sh(show)).toBe(plain);
  });

  it('has units that systemd accepts, hardened as far as an uninstallation permits', async () => {
    const services = {
      'kiwistack-disk': 5,
      'kiwistack-enroll-check': 5,
      'kiwistack-enroll-update': 5,
      'kiwistack-mend@silent': 5,
      'kiwistack-watch': 3,
    };
    const units = [
      TIMER,
      'kiwistack-disk.timer',
      'kiwistack-enroll-update.timer',
      'kiwistack-watch.path',
      ...Object.keys(services).map((name) => `${name}.service`),
    ];
    expect(await sh(`cd /usr/lib/systemd/system; systemd-analyze verify ${units.join(' ')} 2>&1`)).toBe('');
    for (const [name, most] of Object.entries(services)) {
      const security = await sh(`systemd-analyze security --offline=yes ${name}.service`);
      const exposure = Number(/Overall exposure level.*: ([\d.]+)/u.exec(security)?.[1]);
      expect(exposure, name).toBeGreaterThan(0);
      expect(exposure, name).toBeLessThan(most);
    }
    expect((await run('/usr/bin/systemctl', 'is-active', TIMER)).stdout).toBe('active\n');
    expect((await run('/usr/bin/systemctl', 'is-enabled', TIMER)).stdout).toBe('enabled\n');
  });
});

describe('upgrading and removing', () => {
  it('upgrades while the laptop is enrolled, and leaves a timer that was switched off as it is', async () => {
    await sh(`install -d -m 700 ${path.dirname(RECORD)}; echo '{}' >${RECORD}; systemctl disable --now ${TIMER}`);
    const { code, stderr } = await run('/usr/bin/dpkg', '-i', newer);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^(kiwistack-enroll-check.timer is a disabled .* not starting it.\n)?$/);
    expect(await stateOf()).toBe('install ok installed 0.1.0+1');
    expect((await run('/usr/bin/systemctl', 'is-enabled', TIMER)).stdout).toBe('disabled\n');
    expect((await run('/usr/bin/systemctl', 'is-active', TIMER)).stdout).toBe('inactive\n');
    expect(await sh(`cat ${RECORD}`)).toBe('{}\n');
    await sh(`systemctl enable --now ${TIMER}`);
  });

  it.each(['--remove', '--purge'])('is not removed from a laptop that is enrolled: dpkg %s', async (verb) => {
    const { code, stderr } = await run('/usr/bin/dpkg', verb, 'kiwistack-enroll');
    expect(code).toBe(1);
    expect(stderr).toContain('sudo kiwistack-enroll uninstall');
    expect(await stateOf()).toMatch(/ ok installed 0\.1\.0\+1$/);
    expect((await run('/usr/bin/systemctl', 'is-active', TIMER)).stdout).toBe('active\n');
    expect((await run('/usr/bin/kiwistack-enroll', '--version')).code).toBe(0);
  });

  it('can be downgraded', async () => {
    expect((await run('/usr/bin/dpkg', '-i', deb)).code).toBe(0);
    expect(await stateOf()).toMatch(/installed 0\.1\.0$/);
  });

  it('starts nothing where the machine forbids it', async () => {
    await sh(
      `systemctl stop ${TIMER}; printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d`,
    );
    expect((await run('/usr/bin/dpkg', '-i', newer)).code).toBe(0);
    expect((await run('/usr/bin/systemctl', 'is-active', TIMER)).stdout).toBe('inactive\n');
    await sh('rm /usr/sbin/policy-rc.d');
  });

  it('says when a pending deregistration could not be reported to the slice', async () => {
    await sh(`rm ${RECORD}; echo '{}' >${path.dirname(RECORD)}/farewell.json`);
    const { code, stderr } = await run('/usr/bin/dpkg', '--remove', 'kiwistack-enroll');
    expect(code).toBe(0);
    expect(stderr).toContain('Ask your operator to end the device');
    expect((await run('/usr/bin/dpkg', '-i', newer)).code).toBe(0);
    await sh(`rm ${path.dirname(RECORD)}/farewell.json`);
  });

  it('removed, keeps what an administrator may have set', async () => {
    await sh(`echo HTTPS_PROXY=http://proxy.example:3128 >/etc/default/kiwistack-enroll`);
    expect(await run('/usr/bin/dpkg', '--remove', 'kiwistack-enroll')).toMatchObject({ code: 0, stderr: '' });
    expect(await stateOf()).toBe('deinstall ok config-files 0.1.0+1');
    expect((await run('/usr/bin/systemctl', 'is-active', TIMER)).stdout).toBe('inactive\n');
    expect(await sh('cat /etc/kiwistack/msp-roots.pem')).toBe(pinned);
    expect(await sh('ls -d /usr/lib/kiwistack-enroll /usr/bin/kiwistack-enroll 2>/dev/null || true')).toBe('');
  });

  it('purged, leaves nothing', async () => {
    expect(await run('/usr/bin/dpkg', '--purge', 'kiwistack-enroll')).toMatchObject({ code: 0, stderr: '' });
    expect(await stateOf()).toBe('');
    expect(await changes()).toEqual(before);
  });
});

/** What bash would offer for the words: in a shell that has only read the file. */
const COMPLETE = `. /usr/share/bash-completion/completions/kiwistack-enroll
  complete -p kiwistack-enroll >/dev/null
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _kiwistack_enroll
  echo "\${COMPREPLY[@]}"`;
