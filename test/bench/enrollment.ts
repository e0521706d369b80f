import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

import type { Laptop } from '../lab/lab.ts';
import { PIN, type World } from '../world/world.ts';
import { measureAgent, measureToken, measureTunnel } from './parts.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
/** Of our own: nobody else builds into it. */
const APP = path.join(PROJECT, '.cache/bench-app');
const NODE = path.join(PROJECT, 'node_modules/node/bin/node');
/** The program as people install it, once it is built. */
const BUILT = [NODE, path.join(APP, 'kiwistack-enroll.js'), 'enroll', '--json', '--pin-fd', '0'];

export interface StepTime {
  readonly step: string;
  readonly ms: number;
}

export interface Timed {
  readonly wholeMs: number;
  /** Processor time of the program and of all that it started; what systemd started for it is not in it. */
  readonly cpuMs: number;
  readonly stdout: string;
}

export interface EnrollmentFigures {
  /** Of each laptop; the first meets a slice that has done nothing yet. */
  readonly wholes: readonly number[];
  /** Their processor time. */
  readonly cpuMs: readonly number[];
  /** Of the last laptop. */
  readonly steps: readonly StepTime[];
  readonly tokenMs: number;
  readonly tunnelMs: number;
  readonly agentMs: number;
}

export function buildProgram(): void {
  execFileSync(process.execPath, [path.join(PROJECT, 'installers/build/bundle.ts'), '--out', APP]);
}

/** Enrolls laptops one after the other with the built program, as people run it, and measures the bare parts on the last. */
export async function measureEnrollment(
  world: World,
  serial: number,
  laptops: number,
  probe: string,
): Promise<EnrollmentFigures> {
  const [wholes, cpuMs]: [number[], number[]] = [[], []];
  for (let index = 1; ; index++) {
    const laptop = await world.addLaptop({ name: `bench${index}` });
    const key = await world.plugIn(laptop, serial);
    const enrolled = await enrollTimed(laptop);
    wholes.push(enrolled.wholeMs);
    cpuMs.push(enrolled.cpuMs);
    const last = index >= laptops;
    const packages = path.join(world.dir, 'private/packages');
    const [package_ = ''] = await readdir(packages);
    const parts = last && {
      steps: stepTimes(enrolled.stdout),
      tokenMs: await measureToken(laptop),
      tunnelMs: await measureTunnel(laptop, probe),
      agentMs: await measureAgent(world, laptop, path.join(packages, package_)),
    };
    await key.stop();
    await laptop.powerOff();
    if (parts) return { wholes, cpuMs, ...parts };
  }
}

/** Enrolls a laptop whose key is plugged in. @throws Error when that fails */
export async function enrollTimed(laptop: Laptop): Promise<Timed> {
  // bash(1): `times` prints what the shell has used, and then what its children have, user and system.
  const argv = ['/bin/bash', '-c', '"$@"; code=$?; times >&2; exit $code', 'times', ...BUILT];
  const start = performance.now();
  const { code, stdout, stderr } = await laptop.run(argv, { input: `${PIN}\n` });
  const wholeMs = performance.now() - start;
  if (code !== 0) throw new Error(`the enrollment failed: ${stdout}${stderr}`);
  const used = [...stderr.matchAll(/(\d+)m(\d+\.\d+)s/gu)].slice(-2);
  const cpuMs = used.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000, 0);
  return { wholeMs, cpuMs, stdout };
}

export function stepTimes(stdout: string): StepTime[] {
  return stdout
    .split('\n')
    .filter((line) => line.includes('"step-done"'))
    .map((line) => JSON.parse(line) as StepTime);
}
