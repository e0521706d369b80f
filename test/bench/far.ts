import type { Laptop } from '../lab/lab.ts';
import { slowLine } from '../world/slow-line.ts';
import type { World } from '../world/world.ts';
import { enrollTimed, stepTimes, type StepTime } from './enrollment.ts';

/** Of a laptop on another continent, behind a satellite or in a train. */
export const FAR_MS = 300;

export interface FarFigures {
  readonly wholeMs: number;
  /**
   * Of it, the time in which Fleet's own agent enrolls: from its start until Fleet has what makes the laptop green. The agent asks one
   * thing after the other, and none of it is ours.
   */
  readonly agentMs: number;
  readonly cpuMs: number;
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
  const { wholeMs, cpuMs, stdout } = await enrollTimed(laptop);
  const agentMs = detailsArrived(world.fleetLog()) - (await agentStarted(laptop));
  await Promise.all([line.stop(), key.stop()]);
  await laptop.powerOff();
  const tunnelAt = line.events.find(({ type }) => type === 'handshake')?.at ?? Number.NaN;
  const connections = line.events.filter(({ type, at }) => type === 'connection' && at < tunnelAt).length;
  // The gateway notes a request when it has answered: half a round trip before the laptop goes on.
  const requests = answered(world.sliceLog(), laptop.address).filter((at) => at < tunnelAt).length;
  const exchanges = 2 * connections + requests;
  return { wholeMs, agentMs, cpuMs, steps: stepTimes(stdout), connections, requests, exchanges };
}

interface LogEntry {
  readonly time: number;
  readonly remote?: string;
  readonly req?: { readonly url: string };
  readonly reqId?: string;
  readonly res?: unknown;
}

function entries(log: string, word: string): LogEntry[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(word))
    .map((line) => JSON.parse(line) as LogEntry);
}

/** When the gateway answered a client's requests. */
function answered(log: string, remote: string): number[] {
  return entries(log, '"answered"')
    .filter((entry) => entry.remote === remote)
    .map(({ time }) => time);
}

/** When Fleet had the newest laptop's details. */
function detailsArrived(log: string): number {
  const told = entries(log, '"req').findLast(({ req }) => req?.url.endsWith('/distributed/write') === true);
  return entries(log, '"res"').find(({ reqId }) => reqId === told?.reqId)?.time ?? Number.NaN;
}

/** When the agent of an enrolled laptop said that it runs. */
async function agentStarted(laptop: Laptop): Promise<number> {
  const { stdout } = await laptop.run(['/usr/bin/journalctl', '--unit', 'orbit.service', '--output', 'cat']);
  return Date.parse(/^(\S+) INF running orbit/mu.exec(stdout)?.[1] ?? '');
}
