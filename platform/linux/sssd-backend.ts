import { readdir, readFile } from 'node:fs/promises';

import { at, findProgram, runTool, runToolChecked, type LinuxSystem } from './system.ts';

/** The part of SSSD that speaks to a directory: a process of its own for each domain. */
export interface SssdBackend {
  readonly pid: number;
  readonly domain: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

const UNIT = 'sssd.service';
/** SSSD starts it again within four seconds. */
const AGAIN_MS = 15_000;
const POLL_MS = 250;
/** A check that takes longer is not worth waiting for: with a KDC that is away, it takes some ten seconds. */
const QUIET_MS = 30_000;
/** USER_HZ, which is 100 on every architecture of Debian (proc_pid_stat(5), sysconf(3)). */
const MS_PER_TICK = 10;

const pidsOf = async (system: LinuxSystem): Promise<string[]> =>
  (await readdir(at(system, '/proc')).catch(() => [])).filter((name) => /^\d+$/u.test(name));

export async function sssdBackends(system: LinuxSystem): Promise<SssdBackend[]> {
  const pids = await pidsOf(system);
  const read = (file: string): Promise<string> => readFile(at(system, `/proc/${file}`), 'utf8').catch(() => '');
  // Not btime of /proc/stat, which is in whole seconds: a backend would seem older than the certificate that it has just read.
  const up = Number((await read('uptime')).split(' ')[0]) * 1000;
  const booted = system.clock.now() - up;
  const found = await Promise.all(
    pids.map(async (pid) => {
      if ((await read(`${pid}/comm`)).trim() !== 'sssd_be') return [];
      const [words, stat] = [(await read(`${pid}/cmdline`)).split('\0'), await read(`${pid}/stat`)];
      const domain = words[words.indexOf('--domain') + 1];
      // The name, in brackets, may hold anything; the 22nd field is the 20th after it.
      const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
      if (!words.includes('--domain') || domain === undefined || !Number.isFinite(ticks)) return [];
      return [{ pid: Number(pid), domain, since: booted + ticks * MS_PER_TICK }];
    }),
  );
  return found.flat();
}

/** The backend has a child of this name for as long as it checks a password, at the KDC or after it had to give up there. */
async function isCheckingPassword(system: LinuxSystem): Promise<boolean> {
  const names = (await pidsOf(system)).map((pid) => readFile(at(system, `/proc/${pid}/comm`), 'utf8').catch(() => ''));
  return (await Promise.all(names)).some((name) => name.trim() === 'krb5_child');
}

/**
 * Lets SSSD read the certificate again, which it does in a new backend only (not at SIGHUP, nor offline and online again). The backend alone
 * is ended, and SSSD starts the next one: the parts that programs ask go on meanwhile, and say from the cache who people are. What they signed in with is
 * kept. Not while a password is being checked: SSSD 2.8 refuses whom a backend that ends has not answered.
 *
 * @throws KiwiError `program-failed` when it is not seen to be up again
 */
export async function restartBackends(system: LinuxSystem): Promise<void> {
  const { clock } = system;
  for (
    const deadline = clock.monotonic() + QUIET_MS;
    clock.monotonic() < deadline && (await isCheckingPassword(system));
  ) {
    await clock.sleep(POLL_MS);
  }
  const before = await sssdBackends(system);
  if (before.length > 0 && (await findProgram(system, 'kill')) !== undefined) {
    await runTool(system, { name: 'kill', args: ['-TERM', ...before.map(({ pid }) => String(pid))] });
    if (await waitForBackends(system, before)) return;
  }
  // A service that somebody stopped stays stopped.
  await runToolChecked(system, { name: 'systemctl', args: ['try-restart', UNIT] }, 'program-failed');
}

/** Waits until each domain has a backend that was not there before. @returns false when it takes too long */
export async function waitForBackends(
  system: LinuxSystem,
  before: readonly SssdBackend[],
  signal?: AbortSignal,
): Promise<boolean> {
  const { clock } = system;
  const old = new Set(before.map(({ pid }) => pid));
  for (const deadline = clock.monotonic() + AGAIN_MS; clock.monotonic() < deadline;) {
    const fresh = new Set((await sssdBackends(system)).flatMap(({ pid, domain }) => (old.has(pid) ? [] : [domain])));
    if (before.every(({ domain }) => fresh.has(domain)) && fresh.size > 0) return true;
    await clock.sleep(POLL_MS, signal);
  }
  return false;
}
