import path from 'node:path';

import type { Room } from '../lab/lab.ts';
import { GATEWAY_URL, type World } from '../world/world.ts';
import { median } from './parts.ts';

const BATCH = 400;
/** After some 2000 enrollments the gateway does not get faster any more: V8 has compiled what is used. */
const WARM_ROUNDS = 4;
/** Of each turn: the crowd is a new process, whose own code is compiled in the first of them. */
const ROUNDS = 3;
/** A neighbour of the machine shifts a turn by a tenth. */
const TURNS = 9;
/** Enough that there is always work: with 16, who waits for the disk or a tunnel leaves the cores idle. */
export const CONCURRENCY = 32;

export interface GatewayFigures {
  readonly gatewayRatio: number;
  readonly signsPerSecond: number;
  readonly enrollmentsPerSecond: number;
}

/** Runs a driver in a room. @returns what it prints */
export async function driver<T>(room: Room, name: string, args: readonly (string | number)[]): Promise<T> {
  const script = path.join(import.meta.dirname, 'drivers', `${name}.ts`);
  const { code, stdout, stderr } = await room.run([process.execPath, script, ...args.map(String)], {
    timeoutMs: 300_000,
  });
  if (code !== 0) throw new Error(`${name}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** step-ca's bare `/sign` through one client with kept connections. */
function bare(world: World): Promise<{ sequentialMs: number[]; concurrentMs: number }> {
  return driver(world.slice, 'step-ca', [world.sliceDir, BATCH, CONCURRENCY]);
}

/** One `/sign` of step-ca, milliseconds. */
export async function measureSign(world: World): Promise<number> {
  await bare(world); // warmed
  return median((await bare(world)).sequentialMs);
}

/** Laptops that enroll at the same time, beside as many bare signatures. */
export async function measureGateway(world: World, serial: number): Promise<GatewayFigures> {
  const stranger = await world.lab.addRoom({ name: 'crowd' });
  const public_ = await world.publicRoots();
  const crowd = [
    GATEWAY_URL,
    path.join(public_, 'web-ca.crt'),
    path.join(public_, 'msp-roots.pem'),
    world.keyFile(serial),
  ];
  const gateway = async (rounds: number): Promise<number> => {
    const { ms } = await driver<{ ms: number[] }>(stranger, 'gateway', [...crowd, BATCH, CONCURRENCY, rounds]);
    return median(ms);
  };
  // A gateway runs for months: it is measured when its code is compiled, as step-ca's is from the beginning. Then they take turns,
  // so that a slow moment of the machine meets both.
  await bare(world);
  await gateway(WARM_ROUNDS);
  const rounds = [];
  for (let turn = 0; turn < TURNS; turn++) rounds.push({ bare: await bare(world), gatewayMs: await gateway(ROUNDS) });
  return {
    gatewayRatio: median(rounds.map((round) => round.bare.concurrentMs / round.gatewayMs)),
    signsPerSecond: median(rounds.map((round) => (BATCH / round.bare.concurrentMs) * 1000)),
    enrollmentsPerSecond: median(rounds.map((round) => (BATCH / round.gatewayMs) * 1000)),
  };
}
