import path from 'node:path';

import { readSliceConfig, writeSliceConfig } from '../../src/slice/config/slice-config.ts';
import { makeBatch, putToken } from '../world/delivery.ts';
import { GATEWAY_URL, type World } from '../world/world.ts';
import { PROGRAM, stepTimes, type StepTime } from './enrollment.ts';
import { driver } from './gateway.ts';
import { measureAgent, measureTunnel, median } from './parts.ts';

export interface ClaimFigures {
  readonly wholes: readonly number[];
  readonly steps: readonly StepTime[];
  readonly tunnelMs: number;
  readonly agentMs: number;
  /** The answer to a hello with a token that the slice knows, in the time of one with a token that it does not know; 1 is no difference. */
  readonly helloRatio: number;
  /** The refusal of a claim with a wrong secret, likewise. */
  readonly refusalRatio: number;
  /** Two halves of the same measurement, likewise: what noise makes of no difference. */
  readonly noiseRatio: number;
}

/** Laptops that claim themselves one after the other, with the network up and the packages at the slice. */
export async function measureClaim(world: World, laptops: number, probe: string): Promise<ClaimFigures> {
  await world.stopSlice();
  const config = await readSliceConfig(world.sliceDir);
  await writeSliceConfig(world.sliceDir, { ...config, claims: { withoutTpm: 'accept', approvalHours: 1 } });
  await world.startSlice();
  const wholes: number[] = [];
  for (let index = 1; ; index++) {
    const laptop = await world.addLaptop({ name: `claim${index}` });
    const batch = `bench${index}`;
    await putToken(laptop, await makeBatch(world, batch, [laptop]));
    const start = performance.now();
    const result = await laptop.run([...PROGRAM, 'claim', '--json']);
    wholes.push(performance.now() - start);
    if (result.code !== 0) throw new Error(`the claim failed: ${result.stdout}${result.stderr}`);
    if (index < laptops) {
      await laptop.powerOff();
      continue;
    }
    const parts = {
      steps: stepTimes(result.stdout),
      tunnelMs: await measureTunnel(laptop, probe),
      agentMs: await measureAgent(world, laptop),
    };
    await laptop.powerOff();
    return { wholes, ...parts, ...(await measureGuesses(world, await idOf(world, batch))) };
  }
}

async function idOf(world: World, batch: string): Promise<string> {
  const { stdout } = await world.operator(['batch', 'show', batch, '--dir', world.sliceDir, '--json']);
  const { list } = JSON.parse(stdout) as { list: { id: string }[] };
  return list[0]?.id ?? '';
}

/** What a stranger learns from the gateway's times about whether there is a token of an id. */
async function measureGuesses(
  world: World,
  known: string,
): Promise<Pick<ClaimFigures, 'helloRatio' | 'refusalRatio' | 'noiseRatio'>> {
  const stranger = await world.lab.addRoom({ name: 'guesser' });
  const webCa = path.join(await world.publicRoots(), 'web-ca.crt');
  const times = await driver<Record<'known' | 'unknown', { hello: number[]; refusal: number[] }>>(stranger, 'guess', [
    ...[GATEWAY_URL, webCa, known],
  ]);
  const { known: right, unknown: wrong } = times;
  const even = wrong.hello.filter((_, index) => index % 2 === 0);
  const odd = wrong.hello.filter((_, index) => index % 2 === 1);
  return {
    helloRatio: median(right.hello) / median(wrong.hello),
    refusalRatio: median(right.refusal) / median(wrong.refusal),
    noiseRatio: median(even) / median(odd),
  };
}
