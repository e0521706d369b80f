import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Lab, type Laptop, type Room } from '../lab/lab.ts';
import { buildProgram, buildWatcher, PORT, startPings, startWatcher, tunnelTo } from '../world/watched-tunnel.ts';
import { median } from './parts.ts';

/** More than WireGuard alone ever takes while something is sent. */
const PATIENCE_MS = 60_000;

export interface ReconnectFigures {
  /** From the restart of the server, or the change of the laptop's address, to the first answered ping; milliseconds. */
  readonly restartMs: number;
  readonly restartAloneMs: number;
  readonly addressMs: number;
  readonly addressAloneMs: number;
}

export interface RestFigures {
  /** Of all processes of ours, which is the watcher alone: resident and proportional set size, KiB. */
  readonly rssKib: number;
  readonly pssKib: number;
  /** Of one core, in per cent. */
  readonly cpuPercent: number;
  readonly seconds: number;
}

/**
 * A laptop with the watcher and one with plain wg-quick, each with a server of its own, meet the same events at the same time, and
 * both ping ten times a second. Then nothing happens any more, and the watcher is measured.
 */
export async function measureReconnect(
  rounds: number,
  restSeconds: number,
): Promise<{ readonly reconnect: ReconnectFigures; readonly rest: RestFigures }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-reconnect-'));
  const lab = await Lab.create({ dir });
  try {
    const program = buildProgram(path.join(dir, 'program'));
    await buildWatcher();
    const watched = await side(lab, 'watched', 'wgbench0', 1);
    const alone = await side(lab, 'alone', 'wgbench1', 2);
    const watcher = await startWatcher(watched.laptop, program);
    const restarts = await inTurns(rounds, [watched, alone], ({ server }) => server.restart());
    const addresses = await inTurns(rounds, [watched, alone], ({ move }) => move());
    watched.pings.stop();
    alone.pings.stop();
    const rest = await measureRest(watched.laptop, restSeconds);
    await watcher.stop();
    const [restartMs, restartAloneMs] = restarts;
    const [addressMs, addressAloneMs] = addresses;
    return { reconnect: { restartMs, restartAloneMs, addressMs, addressAloneMs }, rest };
  } finally {
    await lab.destroy();
    await rm(dir, { recursive: true, force: true });
  }
}

interface Side {
  readonly laptop: Laptop;
  readonly server: { restart(): Promise<void> };
  readonly pings: ReturnType<typeof startPings>;
  /** Gives the laptop another address, with another router. */
  readonly move: () => Promise<void>;
}

async function side(lab: Lab, name: string, serverName: string, number: number): Promise<Side> {
  const laptop = await lab.addLaptop({ name });
  const port = PORT + number;
  const options = { server: serverName, address: `10.77.0.${10 + number}`, endpoints: [`203.0.113.10:${port}`], port };
  const server = await tunnelTo(lab, laptop, options);
  const cable = / dev (\S+) /u.exec(await sh(lab.internet, `ip -o route get ${laptop.address}`))?.[1] ?? '';
  let moves = 0;
  let old = `${laptop.address}/30`;
  const move = async (): Promise<void> => {
    const net = `198.18.${number * 100 + ++moves}`;
    await sh(lab.internet, `ip address add ${net}.1/24 dev ${cable}`);
    await sh(
      laptop,
      `ip address add ${net}.2/24 dev eth0; ip route replace default via ${net}.1; ip address del ${old} dev eth0`,
    );
    old = `${net}.2/24`;
  };
  const pings = startPings(laptop);
  await pings.answeredAfter(Date.now(), PATIENCE_MS);
  return { laptop, server, pings, move };
}

/** Plays an event on every side in every round. @returns the medians of the times without an answer, in the sides' order */
async function inTurns(
  rounds: number,
  sides: readonly [Side, Side],
  event: (side: Side) => Promise<void>,
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const taken = await Promise.all(
      sides.map(async (one) => {
        await event(one);
        return one.pings.answeredAfter(Date.now(), PATIENCE_MS);
      }),
    );
    for (const [index, ms] of taken.entries()) times[index]?.push(ms);
    // The watcher's program has come to its end, and its back-off is over.
    await new Promise((resolve) => setTimeout(resolve, 8_000));
  }
  return [median(times[0]), median(times[1])];
}

/** Memory and time of the watcher while nothing happens but keepalives. */
async function measureRest(laptop: Laptop, seconds: number): Promise<RestFigures> {
  // By the names of processes: the watcher, and any Node of ours that would be there.
  const pids = (await sh(laptop, "pgrep -x 'kiwistack-watch|node'")).trim().split('\n');
  const ticks = async (): Promise<number> => {
    let sum = 0;
    for (const pid of pids) {
      const fields = (await sh(laptop, `cat /proc/${pid}/schedstat`)).split(' ');
      sum += Number(fields[0]) / 1e9;
    }
    return sum;
  };
  const memory = async (field: string): Promise<number> => {
    let sum = 0;
    for (const pid of pids) {
      const text = await sh(laptop, `cat /proc/${pid}/smaps_rollup`);
      sum += Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'mu').exec(text)?.[1]);
    }
    return sum;
  };
  const before = await ticks();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const used = (await ticks()) - before;
  return {
    rssKib: await memory('Rss'),
    pssKib: await memory('Pss'),
    cpuPercent: (used / seconds) * 100,
    seconds,
  };
}

async function sh(room: Room, script: string): Promise<string> {
  const { code, stdout, stderr } = await room.run(['/bin/sh', '-ec', script]);
  if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
  return stdout;
}
