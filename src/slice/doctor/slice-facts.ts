import { existsSync } from 'node:fs';

import { notKnown, notWell, type Finding, type Check } from '../../checks/check.ts';
import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { isAlive } from '../../programs/process-mark.ts';
import { runProgram } from '../../programs/run-program.ts';
import { readFleetConfig, type FleetConfig } from '../config/fleet-config.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { loadIdentity, type SliceIdentity } from '../config/slice-identity.ts';
import { slicePaths, type SlicePaths } from '../config/slice-paths.ts';
import { askStatus, type PartsStatus } from '../run/control-socket.ts';
import { readRunRecord } from '../run/run-record.ts';

/** What the checks are told from: read once, before the first of them. */
export interface SliceFacts {
  readonly paths: SlicePaths;
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  /** A process of the slice lives. */
  readonly alive: boolean;
  /** What it answers; undefined when it does not. */
  readonly parts: PartsStatus | undefined;
  /** Its Fleet server, undefined while there is none. The file is read when the first check asks. @throws KiwiError `slice-damaged` */
  readonly fleet: () => Promise<FleetConfig | undefined>;
  /** Runs a program by its name; undefined when it is not on this machine, or fails. */
  readonly ask: (program: keyof typeof PROGRAMS, ...args: readonly string[]) => Promise<string | undefined>;
}

export type SliceCheck = Check<SliceFacts>;

const PROGRAMS = {
  ip: ['/usr/sbin/ip', '/sbin/ip'],
  nft: ['/usr/sbin/nft', '/sbin/nft'],
  openssl: ['/usr/bin/openssl'],
  ss: ['/usr/bin/ss', '/bin/ss'],
  timedatectl: ['/usr/bin/timedatectl'],
  wg: ['/usr/bin/wg'],
} as const;

/** @throws KiwiError when there is no slice that could be looked at: `slice-missing`, `slice-unfinished`, `slice-damaged` */
export async function readSliceFacts(dir: string, clock: Clock, env: NodeJS.ProcessEnv): Promise<SliceFacts> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  const record = await readRunRecord(paths.run.lock);
  const alive = record !== undefined && (await isAlive(record.slice));
  const parts = alive ? await askStatus(paths.run.controlSocket) : undefined;
  let read: Promise<FleetConfig | undefined> | undefined;
  const fleet = (): Promise<FleetConfig | undefined> => (read ??= readFleetConfig(dir));
  return { paths, config, identity, clock, env, alive, parts, fleet, ask };
}

const ask: SliceFacts['ask'] = async (name, ...args) => {
  const program = PROGRAMS[name].find((file) => existsSync(file));
  if (program === undefined) return undefined;
  const { code, stdout } = await runProgram({ program, args, timeoutMs: 8000 });
  return code === 0 ? stdout.toString('utf8') : undefined;
};

/** @param saw what is so  @param hint what to do */
export const unwell = (saw: string, hint: string): Finding =>
  notWell(new KiwiError('slice-unwell', { detail: saw, hint }));

/** Of what only a running slice has. */
export const whileRunning = (facts: SliceFacts, look: () => Promise<Finding>): Promise<Finding> =>
  facts.parts === undefined ? Promise.resolve(notKnown('the slice is not running')) : look();
