import { access } from 'node:fs/promises';

import { ignoreMissing, removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { readCappedFile } from '../../src/core/read-capped-file.ts';
import { MARKER } from '../../src/laptop/system/found.ts';
import { daemonFile } from './paths.ts';
import { renderPlist, type Plist } from './plist.ts';
import { at, readTool, runTool, runToolChecked, type MacSystem } from './system.ts';

const LAUNCHD_MS = 60_000;
const MAX_PLIST = 64 * 1024;

/** Keys of launchd.plist(5) that ours have. */
export interface Job {
  readonly Label: string;
  readonly ProgramArguments: readonly string[];
  readonly EnvironmentVariables?: Readonly<Record<string, string>>;
  readonly RunAtLoad?: boolean;
  readonly KeepAlive?: boolean;
  readonly ThrottleInterval?: number;
  readonly StartInterval?: number;
  readonly StartCalendarInterval?: { readonly Minute: number };
  readonly WatchPaths?: readonly string[];
  readonly Sockets?: Readonly<
    Record<string, { readonly SockPathName: string; readonly SockPathMode: number; readonly SockType: string }>
  >;
  readonly StandardErrorPath?: string;
  readonly ProcessType?: 'Background' | 'Standard' | 'Adaptive' | 'Interactive';
  readonly Umask?: number;
  readonly ExitTimeOut?: number;
}

export interface JobState {
  /** False when launchd does not know it. */
  readonly known: boolean;
  readonly running: boolean;
  /** Of its last run; undefined when none has ended. */
  readonly exitCode?: number | undefined;
  readonly runs: number;
}

/** The file of a daemon, which says that it is ours. */
export function renderJob(job: Job): string {
  return renderPlist({ ...job } satisfies Plist, MARKER);
}

/** True when the text of a daemon's file says that it is ours. */
export const isOurJob = (text: string): boolean => text.includes(`<!-- ${MARKER} -->`);

export async function readDaemonFile(system: MacSystem, label: string): Promise<string | undefined> {
  const bytes = await readCappedFile(at(system, daemonFile(label)), { maxBytes: MAX_PLIST }).catch(ignoreMissing);
  return bytes?.toString();
}

/** Writes its file and loads it; one that is loaded with the same file is left alone. @throws KiwiError `program-failed` */
export async function keepJob(system: MacSystem, job: Job): Promise<void> {
  const text = renderJob(job);
  const { known } = await jobState(system, job.Label);
  if ((await readDaemonFile(system, job.Label)) !== text) {
    // launchd goes on with what it has read, so it has to read it again.
    if (known) await unloadJob(system, job.Label);
    await writeDurableFile(at(system, daemonFile(job.Label)), text, 0o644);
  }
  await loadJob(system, job.Label);
}

/** Loads it, and has it loaded at every start of macOS: it may have been disabled. @throws KiwiError `program-failed` */
export async function loadJob(system: MacSystem, label: string): Promise<void> {
  await enableJob(system, label);
  if ((await jobState(system, label)).known) return;
  await launchctl(system, ['bootstrap', 'system', at(system, daemonFile(label))]);
}

export async function enableJob(system: MacSystem, label: string): Promise<void> {
  await launchctl(system, ['enable', `system/${label}`]);
}

/** Starts it, also one that runs. @throws KiwiError `program-failed` */
export async function restartJob(system: MacSystem, label: string): Promise<void> {
  await loadJob(system, label);
  await launchctl(system, ['kickstart', '-k', `system/${label}`]);
}

/** Stops it and has launchd forget it; not its file. Safe to repeat. */
export async function unloadJob(system: MacSystem, label: string): Promise<void> {
  if (!(await jobState(system, label)).known) return;
  // It answers before the program has ended, or says that this goes on: what counts is that it is gone.
  const args = ['bootout', `system/${label}`];
  const { code } = await runTool(system, { name: 'launchctl', args, timeoutMs: LAUNCHD_MS });
  const deadline = system.clock.monotonic() + LAUNCHD_MS;
  while ((await jobState(system, label)).known) {
    if (system.clock.monotonic() >= deadline) {
      throw new KiwiError('program-failed', { detail: `${label} does not end; launchctl bootout: exit code ${code}` });
    }
    await system.clock.sleep(200);
  }
}

/** Unloads it and removes its file, if that is ours. */
export async function removeJob(system: MacSystem, label: string): Promise<void> {
  const text = await readDaemonFile(system, label);
  if (text !== undefined && !isOurJob(text)) return;
  await unloadJob(system, label);
  if (await isThere(at(system, daemonFile(label)))) await removeDurableFile(at(system, daemonFile(label)));
}

export async function jobState(system: MacSystem, label: string): Promise<JobState> {
  return readJobState(await readTool(system, { name: 'launchctl', args: ['print', `system/${label}`] }));
}

/** Labels that are disabled; they are not loaded at the next start. */
export async function disabledJobs(system: MacSystem): Promise<ReadonlySet<string>> {
  const said = (await readTool(system, { name: 'launchctl', args: ['print-disabled', 'system'] })) ?? '';
  // macOS 13 and later say `disabled`, earlier ones `true`.
  return new Set([...said.matchAll(/^\s*"([^"]{1,200})" => (?:disabled|true)$/gmu)].map(([, label = '']) => label));
}

/**
 * What `launchctl print` says of a job. Its manual calls the format unfit for programs: so only lines of the outermost block are read, and
 * what is not found is taken for not running.
 */
export function readJobState(said: string | undefined): JobState {
  if (said === undefined) return { known: false, running: false, runs: 0 };
  const line = (name: string): string | undefined => new RegExp(`^\\t${name} = (.*)$`, 'mu').exec(said)?.[1];
  const exit = /^-?\d+/u.exec(line('last exit code') ?? '')?.[0];
  return {
    known: true,
    running: line('state') === 'running',
    exitCode: exit === undefined ? undefined : Number(exit),
    runs: Number(line('runs') ?? 0) || 0,
  };
}

async function launchctl(system: MacSystem, args: readonly string[]): Promise<void> {
  await runToolChecked(system, { name: 'launchctl', args, timeoutMs: LAUNCHD_MS }, 'program-failed');
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
