import { appendFileSync, writeFileSync } from 'node:fs';

import { BUILD_KIND } from './build-kind.ts';
import { KiwiError } from './errors.ts';

/** Which point triggers and how: `POINT#N=ACTION`, where N counts the passes from 1 and is 1 when absent. */
const FAULT = 'KIWISTACK_FAULT';
/** A file to which the name of every point that is passed is appended, one per line. */
const TRACE = 'KIWISTACK_FAULT_TRACE';

/**
 * `kill`: kills the process at once. `power`: restarts the machine at once, without a sync. `fail`: throws as a broken disk
 * would.
 */
type Action = 'kill' | 'power' | 'fail';
const ACTIONS: readonly string[] = ['kill', 'power', 'fail'] satisfies readonly Action[];

const passed = new Map<string, number>();
let wanted: { readonly point: string; readonly action: Action } | undefined;

/**
 * A point between two actions where tests can interrupt the program. Does nothing without the variables, and nothing at all
 * in a production build.
 * @param name stable, in docs/reliability.md: `certificate:after-intent`, `file:acme.crt:written`
 * @throws Error with code EIO, when the variable says `fail`
 */
export function faultPoint(name: string): void {
  if (BUILD_KIND === 'production') return;
  const count = (passed.get(name) ?? 0) + 1;
  passed.set(name, count);
  const trace = process.env[TRACE];
  if (trace !== undefined) appendFileSync(trace, `${name}#${count}\n`);
  wanted ??= readFault();
  if (wanted?.point !== `${name}#${count}`) return;
  if (wanted.action === 'fail') throw Object.assign(new Error(`EIO: injected at ${name}`), { code: 'EIO' });
  if (wanted.action === 'power') writeFileSync('/proc/sysrq-trigger', 'b');
  process.kill(process.pid, 'SIGKILL');
  // Block, so that nothing more happens until the signal arrives.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** @throws KiwiError `fault-variable`: a program that people install must not be interruptible through a variable */
export function refuseFaultsInProduction(): void {
  if (BUILD_KIND !== 'production') return;
  for (const name of [FAULT, TRACE]) {
    if (process.env[name] !== undefined) throw new KiwiError('fault-variable', { detail: name });
  }
}

function readFault(): typeof wanted {
  const text = process.env[FAULT];
  if (text === undefined) return undefined;
  const [, point, count = '1', action] = /^([^#=]+)(?:#(\d+))?=(\w+)$/u.exec(text) ?? [];
  if (point === undefined || !isAction(action)) throw new TypeError(`${FAULT}: ${text}`);
  return { point: `${point}#${count}`, action };
}

function isAction(text: string | undefined): text is Action {
  return text !== undefined && ACTIONS.includes(text);
}
