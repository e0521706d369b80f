import { PIN, type World } from '../world/world.ts';
import { slowLine } from '../world/slow-line.ts';
import { BUILT, stepTimes, type StepTime } from './enrollment.ts';
import { measureAgent } from './parts.ts';

/** Of a laptop on another continent, behind a satellite or in a train. */
export const FAR_MS = 300;

export interface FarFigures {
  readonly wholeMs: number;
  /** Fleet's agent alone over the same line, from `dpkg -i` to online: how often it asks, and what it waits for, is not ours. */
  readonly agentMs: number;
  readonly steps: readonly StepTime[];
  /** Round trips to the gateway before the first packet of the tunnel: a connection (TCP and TLS 1.3) is two, a request one. */
  readonly exchanges: number;
  readonly connections: number;
  readonly requests: number;
}

/** An enrollment over a line on which everything takes 300 ms there and back, name resolution excepted: that is in /etc/hosts. */
export async function measureFar(world: World, serial: number): Promise<FarFigures> {
  const laptop = await world.addLaptop({ name: 'far' });
  const key = await world.plugIn(laptop, serial);
  const line = await slowLine(world, laptop, FAR_MS);
  const start = performance.now();
  const result = await laptop.run(BUILT, { input: `${PIN}\n` });
  const wholeMs = performance.now() - start;
  if (result.code !== 0) throw new Error(`the enrollment failed: ${result.stdout}${result.stderr}`);
  const agentMs = await measureAgent(world, laptop);
  await Promise.all([line.stop(), key.stop()]);
  await laptop.powerOff();
  const tunnelAt = line.events.find(({ type }) => type === 'handshake')?.at ?? Number.NaN;
  const connections = line.events.filter(({ type, at }) => type === 'connection' && at < tunnelAt).length;
  // The gateway notes a request when it has answered: half a round trip before the laptop goes on.
  const requests = answered(world.sliceLog(), laptop.address).filter((at) => at < tunnelAt).length;
  return {
    wholeMs,
    agentMs,
    steps: stepTimes(result.stdout),
    connections,
    requests,
    exchanges: 2 * connections + requests,
  };
}

/** When the gateway answered a client's requests. */
function answered(log: string, remote: string): number[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"answered"'))
    .map((line) => JSON.parse(line) as { time: number; remote?: string })
    .filter((entry) => entry.remote === remote)
    .map(({ time }) => time);
}
