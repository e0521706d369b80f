import { copyFile, readdir } from 'node:fs/promises';
import path from 'node:path';

import { CliRun, type CliOptions } from '../cli-run.ts';
import { shell, UNDONE, type Failure } from './failure.ts';

const LIBRARY = 'for file in /usr/lib/*-linux-gnu/libykcs11.so*';
/** Seen by the command, and by nobody else. */
const instead = (program: string, script: string): string => `
  printf '%s\\n' '#!/bin/sh' '${script}' >/tmp/instead; chmod 755 /tmp/instead; mount --bind /tmp/instead ${program}`;
/** A clock of the command's own; not of the services that it starts. */
const clock = (time: string): readonly string[] => ['/usr/bin/faketime', '-m', '--exclude-monotonic', '-f', time];

const LEAVE_BEHIND = 'echo mine >/opt/orbit/data/mine; echo mine >/etc/fleet/fleet.pem';
const STILL_THERE = 'grep -q mine /opt/orbit/data/mine; grep -q mine /etc/fleet/fleet.pem';

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const readOnly = (folder: string): string => `mount --bind ${folder} ${folder}; mount -o remount,bind,ro ${folder}`;
const TRUST_STORES: readonly (readonly [string, CliOptions, RegExp, Partial<Failure>])[] = [
  [
    'its bundle is a mount point',
    { mounts: `cp ${BUNDLE} /tmp/bundle; mount --bind /tmp/bundle ${BUNDLE}` },
    /ca-certificates\.crt: it is a mount point/u,
    {},
  ],
  ['its bundle is missing', { mounts: 'mount -t tmpfs none /etc/ssl/certs' }, /ca-certificates\.crt\) is missing/u, {}],
  ['/usr is read-only', { mounts: readOnly('/usr') }, /^\/usr\/local\/share\/ca-certificates: it is read-only/u, {}],
  ['/etc/ssl/certs is read-only', { mounts: readOnly('/etc/ssl/certs') }, /^\/etc\/ssl\/certs: it is read-only/u, {}],
  [
    'its bundle is immutable',
    {},
    /^\/etc\/ssl\/certs\/ca-certificates\.crt: it is immutable/u,
    {
      arrange: (stage) => shell(stage, `chattr +i ${BUNDLE}`),
      restore: (stage) => shell(stage, `chattr -i ${BUNDLE}`),
    },
  ],
];

/** What the laptop itself has, or lacks. */
export const MACHINE_FAILURES: readonly Failure[] = [
  {
    name: 'not root',
    cli: { prefix: ['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] },
    code: 'not-root',
    exit: 6,
    undone: UNDONE.nothing,
  },
  {
    name: 'the smart-card service does not run',
    arrange: ({ seat }) => seat.reader.stop(),
    restore: async ({ customer, seat }) => {
      seat.reader = await customer.world.plugIn(seat.laptop, seat.serial);
    },
    cli: { args: ['--wait', '1'] },
    step: 'key',
    code: 'key-service-down',
    exit: 6,
    undone: UNDONE.nothing,
  },
  {
    name: 'the YubiKey library is not installed',
    arrange: (stage) => shell(stage, `${LIBRARY}; do mv "$file" "$file.away"; done`),
    restore: (stage) => shell(stage, `${LIBRARY}; do mv "$file" "\${file%.away}"; done`),
    step: 'key',
    code: 'key-module-missing',
    exit: 6,
    undone: UNDONE.nothing,
  },
  {
    name: 'too little room on the disk',
    cli: { mounts: 'mount -t tmpfs -o size=20m little /opt' },
    step: 'preflight',
    code: 'disk-full',
    exit: 6,
    says: /MB free on \/opt/u,
    undone: UNDONE.nothing,
  },
  {
    name: 'the disk is full in the middle',
    cli: { mounts: 'mount -t tmpfs -o nr_inodes=1,mode=700 full /etc/wireguard' },
    step: 'tunnel',
    code: 'disk-full',
    exit: 6,
    undone: UNDONE.tunnel,
  },
  {
    name: 'the disk is read-only',
    cli: { mounts: 'mount --bind /etc /etc; mount -o remount,bind,ro /etc' },
    step: 'preflight',
    code: 'read-only-file-system',
    exit: 6,
    undone: UNDONE.nothing,
  },
  {
    name: 'a program is missing: said with its package',
    cli: { mounts: 'mount --bind /dev/null /usr/bin/wg-quick' },
    step: 'preflight',
    code: 'tool-missing',
    exit: 6,
    says: /wg-quick \(package wireguard-tools\)/u,
    undone: UNDONE.nothing,
  },
  {
    name: 'systemd does not run',
    cli: { mounts: 'mount -t tmpfs none /run/systemd' },
    step: 'preflight',
    code: 'unsupported-system',
    exit: 6,
    undone: UNDONE.nothing,
  },
  {
    name: 'the provider’s root is not installed',
    cli: { args: ['--msp-roots', '/nonexistent.pem'] },
    code: 'pinned-roots-missing',
    exit: 6,
    undone: UNDONE.nothing,
  },
  {
    name: 'the laptop is of another provider',
    cli: { args: ['--msp-roots', '/usr/local/share/ca-certificates/public-web-ca.crt'] },
    step: 'slice',
    code: 'slice-root-unknown',
    exit: 4,
    undone: UNDONE.deviceKey,
  },
  {
    name: 'the clock lost its battery',
    cli: { prefix: clock('@2019-12-31 23:00:00') },
    step: 'preflight',
    code: 'clock-unset',
    exit: 6,
    says: /2019-12-31|2020-01-01/u,
    undone: UNDONE.nothing,
  },
  {
    name: 'the clock is a day behind',
    cli: { prefix: clock('-1d') },
    step: 'slice',
    code: 'clock-skew',
    exit: 6,
    undone: UNDONE.deviceKey,
  },
  {
    name: 'the clock is a day ahead',
    cli: { prefix: clock('+1d') },
    step: 'slice',
    code: 'clock-skew',
    exit: 6,
    undone: UNDONE.deviceKey,
  },
  {
    name: 'the package manager is broken',
    cli: { mounts: instead('/usr/bin/dpkg', 'echo dpkg: error: the database is broken >&2; exit 2') },
    step: 'agent',
    code: 'package-install-failed',
    exit: 7,
    says: /the database is broken/u,
    undone: UNDONE.agent,
  },
  {
    name: 'the trust store cannot be brought up to date',
    arrange: (stage) => shell(stage, 'cp /usr/sbin/update-ca-certificates /tmp/true-update'),
    restore: (stage) => shell(stage, 'rm -f /tmp/true-update /tmp/failed-once'),
    cli: {
      // A program that wants to hear of new roots: then it is the system's own script that adds them. It fails only once,
      // for it is needed again to take back what was done.
      mounts: `
        mount -t tmpfs hooks /etc/ca-certificates/update.d
        ln -s /bin/true /etc/ca-certificates/update.d/hears-of-roots
        ${instead(
          '/usr/sbin/update-ca-certificates',
          '[ ! -e /tmp/failed-once ] || exec /tmp/true-update "$@"; touch /tmp/failed-once; echo no >&2; exit 1',
        )}`,
    },
    step: 'trust',
    code: 'trust-store-failed',
    exit: 7,
    undone: UNDONE.tunnel,
  },
  {
    name: 'another Fleet agent is there, of whoever manages the laptop now',
    arrange: async (stage) => {
      const { dir } = stage.customer.world;
      const [name] = (await readdir(path.join(dir, 'private', 'packages'))).filter((file) => file.endsWith('.deb'));
      const copy = path.join(dir, 'public', 'somebody-elses.deb');
      await copyFile(path.join(dir, 'private', 'packages', name ?? ''), copy);
      await shell(stage, `dpkg -i ${copy} >/dev/null 2>&1`);
    },
    meanwhile: async (run, stage) => {
      await run.ended;
      await shell(stage, 'dpkg -s fleet-osquery >/dev/null');
    },
    // dpkg takes empty folders away that no other package of a bare system has.
    restore: (stage) =>
      shell(stage, 'dpkg --purge fleet-osquery >/dev/null 2>&1; rm -rf /opt/orbit; mkdir -p /opt /usr/local/bin'),
    step: 'preflight',
    code: 'agent-present',
    exit: 6,
    says: /fleet-osquery 1\.\d+/u,
    undone: UNDONE.nothing,
  },
  ...TRUST_STORES.map(([name, cli, says, more]): Failure => ({
    name: `the trust store cannot be written: ${name}`,
    ...{ cli, says, ...more, step: 'preflight', code: 'trust-store-failed', exit: 7, undone: UNDONE.nothing },
  })),
  {
    name: 'an agent that is gone has left its data: named, and left as it is',
    arrange: (stage) => shell(stage, `mkdir -p /opt/orbit/data /etc/fleet; ${LEAVE_BEHIND}`),
    meanwhile: async (run, stage) => {
      await run.ended;
      await shell(stage, STILL_THERE);
      if (!String(run.error['hint']).startsWith('No Fleet agent is installed')) throw new Error(run.output);
    },
    restore: (stage) => shell(stage, 'rm -r /opt/orbit /etc/fleet'),
    step: 'preflight',
    code: 'agent-present',
    exit: 6,
    says: /^\/etc\/fleet\/fleet\.pem, \/opt\/orbit$/u,
    undone: UNDONE.nothing,
  },
  {
    name: 'another program puts files beside ours before anything is installed: an undo leaves them',
    cli: { pin: null },
    arrange: (stage) => shell(stage, 'ip rule add ipproto tcp to 10.77.1.20 unreachable'),
    meanwhile: async (run, stage) => {
      await run.untilType('pin-expected');
      await shell(stage, `mkdir -p /opt/orbit/data /etc/fleet; ${LEAVE_BEHIND}`);
      run.typePin('123456');
      await run.ended;
      await shell(stage, STILL_THERE);
    },
    restore: (stage) => shell(stage, 'ip rule del ipproto tcp to 10.77.1.20 unreachable; rm -r /opt/orbit /etc/fleet'),
    step: 'agent',
    code: 'fleet-unreachable',
    exit: 5,
    undone: UNDONE.agent,
  },
  {
    name: 'another run is going on',
    arrange: async ({ seat }) => {
      const first = new CliRun(seat.laptop, { pin: null });
      await first.untilType('pin-expected');
      running.set(seat.serial, first);
    },
    restore: async ({ seat }) => {
      const first = running.get(seat.serial);
      first?.kill('SIGINT');
      if ((await first?.ended) !== 130) throw new Error(`the first run: ${first?.output ?? ''}`);
    },
    code: 'already-running',
    exit: 3,
    undone: UNDONE.nothing,
  },
  {
    name: 'the state file is damaged',
    arrange: (stage) =>
      shell(stage, 'install -d -m 700 /var/lib/kiwistack; umask 077; echo "{" >/var/lib/kiwistack/enrollment.json'),
    restore: (stage) => shell(stage, 'rm -r /var/lib/kiwistack'),
    code: 'state-damaged',
    exit: 7,
    undone: UNDONE.nothing,
  },
  {
    name: 'the state file belongs to somebody else',
    arrange: (stage) =>
      shell(
        stage,
        'install -d -m 700 /var/lib/kiwistack; echo "{}" >/var/lib/kiwistack/enrollment.json; chmod 666 /var/lib/kiwistack/enrollment.json',
      ),
    restore: (stage) => shell(stage, 'rm -r /var/lib/kiwistack'),
    code: 'state-damaged',
    exit: 7,
    undone: UNDONE.nothing,
  },
];

const running = new Map<number, CliRun>();
