import { z } from 'zod';

import { KiwiError } from '../../src/core/errors.ts';
import { readHelper } from './helper.ts';
import { runTool, runToolChecked, type WindowsSystem } from './system.ts';

/** As the service manager numbers them: SERVICE_STATUS_PROCESS and QUERY_SERVICE_CONFIG. */
const STATE = { stopped: 1, running: 4 } as const;
const START = { automatic: 2, disabled: 4 } as const;
/** ERROR_SERVICE_NEVER_STARTED: since this boot. */
const NEVER_STARTED = 1077;
const SERVICE_MS = 60_000;

const service = z.strictObject({
  name: z.string().max(256),
  known: z.boolean(),
  state: z.int().exactOptional(),
  exitCode: z.int().exactOptional(),
  pid: z.int().exactOptional(),
  start: z.int().exactOptional(),
  command: z.string().max(8192).exactOptional(),
});
export type Service = z.infer<typeof service>;

/** @param names one that ends with `*` stands for all that begin so */
export async function services(system: WindowsSystem, names: readonly string[]): Promise<Service[]> {
  return readHelper(system, z.array(service).max(1000), ['services', ...names]);
}

export async function serviceOf(system: WindowsSystem, name: string): Promise<Service | undefined> {
  const [found] = await services(system, [name]);
  return found?.known === true ? found : undefined;
}

export const isRunning = (found: Service | undefined): boolean => found?.state === STATE.running;
export const startsAtBoot = (found: Service | undefined): boolean => found?.start === START.automatic;

/** The words that the checks have for a service. */
export function wordsFor({ known, state, start, exitCode = 0 }: Service): {
  active: string;
  enabled: string;
  result: string;
} {
  if (!known) return { active: '', enabled: '', result: '' };
  const ended = ![0, NEVER_STARTED].includes(exitCode);
  const active =
    state === STATE.running ? 'active' : state === STATE.stopped ? (ended ? 'failed' : 'inactive') : 'changing';
  const enabled = start === START.automatic ? 'enabled' : start === START.disabled ? 'disabled' : 'manual';
  return { active, enabled, result: ended ? `exit code ${exitCode}` : 'success' };
}

/**
 * Arguments of `sc.exe`: an option ends with `=` and its value is the next argument. Restarted after 5, 15 and 60 seconds, also when it
 * ended by itself with an error; a day without a failure forgets them.
 */
export function recoveryArguments(name: string): readonly (readonly string[])[] {
  return [
    ['failure', name, 'reset=', '86400', 'actions=', 'restart/5000/restart/15000/restart/60000'],
    ['failureflag', name, '1'],
  ];
}

export async function setRecovery(system: WindowsSystem, name: string): Promise<void> {
  for (const args of recoveryArguments(name)) await runToolChecked(system, { name: 'sc', args }, 'program-failed');
}

export async function startAtBoot(system: WindowsSystem, name: string): Promise<void> {
  await runToolChecked(system, { name: 'sc', args: ['config', name, 'start=', 'auto'] }, 'program-failed');
}

/** Starts it and waits until it runs; one that runs already is left alone. @throws KiwiError `program-failed` */
export async function startService(system: WindowsSystem, name: string, signal?: AbortSignal): Promise<void> {
  if (isRunning(await serviceOf(system, name))) return;
  // Not checked: it may have been started in this moment, and whether it runs is seen next.
  const { code } = await runTool(system, { name: 'sc', args: ['start', name], signal });
  if (await becomes(system, name, STATE.running, signal)) return;
  throw new KiwiError('program-failed', { detail: `the service ${name} does not run; sc start: exit code ${code}` });
}

/** Stops it and waits until it has ended. @throws KiwiError `program-failed` */
export async function stopService(system: WindowsSystem, name: string, signal?: AbortSignal): Promise<void> {
  const found = await serviceOf(system, name);
  if (found === undefined || found.state === STATE.stopped) return;
  await runTool(system, { name: 'sc', args: ['stop', name], signal });
  if (await becomes(system, name, STATE.stopped, signal)) return;
  throw new KiwiError('program-failed', { detail: `the service ${name} does not stop` });
}

async function becomes(system: WindowsSystem, name: string, state: number, signal?: AbortSignal): Promise<boolean> {
  const { clock } = system;
  const deadline = clock.monotonic() + SERVICE_MS;
  for (;;) {
    const found = await serviceOf(system, name);
    if (found === undefined ? state === STATE.stopped : found.state === state) return true;
    // What has ended again will not run by itself at once; what did not run yet may be on its way.
    const ended = found?.state === STATE.stopped && found.exitCode !== NEVER_STARTED;
    const hopeless = found === undefined || (state === STATE.running && ended);
    if (hopeless || clock.monotonic() >= deadline) return false;
    await clock.sleep(200, signal);
  }
}
