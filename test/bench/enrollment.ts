import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { PIN, type World } from '../world/world.ts';
import { measureAgent, measureToken, measureTunnel } from './parts.ts';

const PROJECT = path.join(import.meta.dirname, '../..');
/** Of our own: nobody else builds into it. */
const APP = path.join(PROJECT, '.cache/bench-app');
const NODE = path.join(PROJECT, 'node_modules/node/bin/node');
/** The program as people install it, once it is built. */
export const PROGRAM = [NODE, path.join(APP, 'kiwistack-enroll.js')];
export const BUILT = [...PROGRAM, 'enroll', '--json', '--pin-fd', '0'];

export interface StepTime {
  readonly step: string;
  readonly ms: number;
}

export interface EnrollmentFigures {
  /** Of each laptop; the first meets a slice that has done nothing yet. */
  readonly wholes: readonly number[];
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
  const wholes: number[] = [];
  for (let index = 1; ; index++) {
    const laptop = await world.addLaptop({ name: `bench${index}` });
    const key = await world.plugIn(laptop, serial);
    const start = performance.now();
    const result = await laptop.run(BUILT, { input: `${PIN}\n` });
    wholes.push(performance.now() - start);
    if (result.code !== 0) throw new Error(`the enrollment failed: ${result.stdout}${result.stderr}`);
    const last = index >= laptops;
    const parts = last && {
      steps: stepTimes(result.stdout),
      tokenMs: await measureToken(laptop),
      tunnelMs: await measureTunnel(laptop, probe),
      agentMs: await measureAgent(world, laptop),
    };
    await key.stop();
    await laptop.powerOff();
    if (parts) return { wholes, ...parts };
  }
}

export function stepTimes(stdout: string): StepTime[] {
  return stdout
    .split('\n')
    .filter((line) => line.includes('"step-done"'))
    .map((line) => JSON.parse(line) as StepTime);
}
