import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';

/** The parts of a machine that its digest needs. */
export interface DigestedMachine {
  run(
    argv: readonly string[],
    options?: { readonly input: string },
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** The checksums of the files as delivered. */
  manifest(): Promise<ReadonlyMap<string, string>>;
}

/** The state of a machine; `difference` compares two of them. */
export type Digest = ReadonlyMap<string, string>;

/**
 * What changes automatically on an idle machine, or records what happened instead of a state. Everything else is
 * compared.
 */
export const exceptions: Readonly<Record<string, string>> = {
  '/var/log': 'records',
  '/var/lib/systemd/random-seed': 'written at every shut-down',
  '/var/lib/systemd/catalog': 'made from what is installed, at no fixed time',
  '/var/lib/systemd/timesync': 'the last time seen',
  '/var/lib/systemd/timers': 'when timers ran last',
  '/var/lib/NetworkManager': 'leases and seen networks',
  '/var/lib/private/systemd': 'state of dynamic users',
  '/var/lib/dpkg/lock': 'a lock',
  '/var/lib/dpkg/lock-frontend': 'a lock',
  '/var/lib/dpkg/triggers/Lock': 'a lock',
  '/var/lib/dpkg/status': 'its order changes; the packages are compared one by one',
  '/var/lib/dpkg/status-old': 'the status before the last change',
  '/var/lib/dpkg/available': 'not kept by apt',
  '/var/lib/apt/extended_states': 'its order changes; marks of packages are compared',
  '/var/cache/apt': 'made from the package lists',
  '/var/lib/apt/lists': 'package lists',
  '/var/cache/man': 'index of man pages, with their times',
  '/var/cache/ldconfig': 'made from the libraries',
  '/var/cache/debconf': 'questions that packages ever asked',
  [posix.join('/root', '.cache')]: 'caches',
  '/tmp/systemd-private-*': 'made by systemd for services that run, named by the boot',
  '/var/tmp/systemd-private-*': 'the same',
};

/** Everything on the disk below /. `%C@` is the time of the last change of the inode, which nobody can set. */
const LIST = '%p\\0%y\\0%m\\0%U:%G\\0%s\\0%C@\\0%l\\0';
/** A file whose inode is older than this one is as delivered. */
const DELIVERED = '/etc/.updated';

/** What the system reports about itself, besides its files. */
const commands: Readonly<Record<string, string>> = {
  package: "dpkg-query -W -f '${Package}:${Architecture} ${Version} ${db:Status-Abbrev}\\n'",
  'automatic package': 'apt-mark showauto',
  'enabled unit': "systemctl list-unit-files --no-legend --no-pager | awk '{ print $1, $2 }'",
  // Except for short-lived ones: sessions, and what the bus starts for a request and stops again.
  'running unit': `systemctl list-units --no-legend --no-pager --plain --state=active --type=service,socket,timer,path |
    awk '$1 !~ /^(user@|user-runtime-dir@|polkit|NetworkManager-dispatcher|systemd-(hostnamed|timedated|localed|rfkill))/ { print $1 }'`,
  'failed unit': "systemctl list-units --no-legend --no-pager --plain --state=failed | awk '{ print $1 }'",
  // The machine's own link-local addresses are generated anew at every boot.
  address: `ip -o addr show | sed 's/ *\\\\.*//; s/^[0-9]*: //; s/fe80::[^/]*/fe80::/'`,
  link: "ip -o link show | sed 's/^[0-9]*: //; s/ .*//'",
  route:
    "{ ip route show table all; ip -6 route show table all; ip rule; } | sed 's/ expires [0-9]*sec//; s/local fe80::[^ /]*/local fe80::/'",
  resolver: 'resolvectl status --no-pager | sed "s/^Link [0-9]*/Link/; /Current DNS Server/d"',
  rule: 'nft list ruleset',
  wireguard: 'wg show all peers',
  user: 'getent passwd; getent group',
};

/** Waits until the machine uses its addresses: a new IPv6 address is tentative for a second (RFC 4862, section 5.4). */
const SETTLE = 'for i in $(seq 300); do ip -o addr show tentative | grep -q . || exit 0; sleep 0.2; done';

/** Examines the whole machine: every file on its disk, packages, units, addresses, routes, resolver, users. */
export async function digest(machine: DigestedMachine): Promise<Digest> {
  await machine.run(['/bin/sh', '-c', SETTLE]);
  const facts = new Map<string, string>();
  const [files] = await Promise.all([
    listFiles(machine),
    ...Object.entries(commands).map(async ([kind, script]) => {
      // The bus gives up after 25 s otherwise, and the machine would seem to have no units.
      const patient = `export SYSTEMD_BUS_TIMEOUT=900; ${script}`;
      const { code, stdout, stderr } = await machine.run(['/bin/bash', '-o', 'pipefail', '-c', patient]);
      if (code !== 0 && kind.endsWith(' unit')) throw new Error(`${kind}: exit code ${code}: ${stderr}`);
      // Lines, with how often they occur.
      for (const line of stdout.split('\n')) {
        if (line.trim() !== '')
          facts.set(`${kind} ${line.trim()}`, String(Number(facts.get(`${kind} ${line.trim()}`) ?? 0) + 1));
      }
    }),
  ]);
  for (const [path, what] of files) facts.set(path, what);
  return facts;
}

/** The differences, one per line, sorted: `+` is there now, `-` was there before. Empty when the two are equal. */
export function difference(before: Digest, now: Digest): string[] {
  const lines: string[] = [];
  for (const [key, what] of now) if (before.get(key) !== what) lines.push(`${key} + ${what}`);
  for (const [key, what] of before) if (now.get(key) !== what) lines.push(`${key} - ${what}`);
  return lines.sort();
}

async function listFiles(machine: DigestedMachine): Promise<Map<string, string>> {
  const skipped = Object.keys(exceptions).flatMap((path) => ['-path', path, '-prune', '-o']);
  const [delivered, found, manifest] = await Promise.all([
    machine.run(['/usr/bin/stat', '-c', '%.Z', DELIVERED]),
    machine.run(['/usr/bin/find', '/', '-xdev', ...skipped, '-printf', LIST]),
    machine.manifest(),
  ]);
  const since = Number(delivered.stdout);
  const files = new Map<string, string>();
  const changed: string[] = [];
  const fields = found.stdout.split('\0');
  for (let at = 0; at + 7 < fields.length; at += 7) {
    const [path = '', type = '', mode = '', owner = '', size = '', time = '', target = ''] = fields.slice(at, at + 7);
    const about = [
      type,
      mode.padStart(4, '0'),
      owner,
      ...(type === 'l' ? [target] : []),
      ...(type === 'f' ? [size] : []),
    ];
    const known = Number(time) <= since ? manifest.get(path) : undefined;
    if (type === 'f' && known === undefined) changed.push(path);
    files.set(path, [...about, ...(known === undefined ? [] : [known])].join(' '));
  }
  for (const [path, sum] of await hash(machine, changed)) files.set(path, `${files.get(path) ?? ''} ${sum}`);
  return files;
}

async function hash(machine: DigestedMachine, paths: readonly string[]): Promise<Map<string, string>> {
  const { stdout } = await machine.run(['/usr/bin/xargs', '-0', '-r', '/usr/bin/sha256sum', '-z', '--'], {
    input: paths.map((path) => `${path}\0`).join(''),
  });
  return readSums(stdout, '\0');
}

/** Reads what sha256sum prints. */
export function readSums(text: string, end: string): Map<string, string> {
  const lines = text.split(end).filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

/** The checksums of the files as delivered. */
export async function readManifest(file: string): Promise<Map<string, string>> {
  return readSums(await readFile(file, 'utf8'), '\n');
}
