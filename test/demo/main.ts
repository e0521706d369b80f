// `npm run demo`: from nothing to a laptop that is online in Fleet, in namespaces that are removed afterwards.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { printJson, printResult } from '../../src/terminal/report.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import type { Laptop } from '../lab/lab.ts';
import { Machine } from '../machine/machine.ts';
import { CLI, INTRANET_URL, PIN, World, type Reader } from '../world/world.ts';
import { hostState } from './host-state.ts';
import { nextSteps } from './next-steps.ts';
import { playEnrollment } from './play-enrollment.ts';
import { makeMachine, playOemMachine } from './play-oem-machine.ts';
import { playOem } from './play-oem.ts';
import { playUpkeep } from './play-upkeep.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Scene } from './scene.ts';
import { showWindow } from './show-window.ts';

const HELP = `usage: npm run demo [-- --json|--keep|--window|--oem [--machine]|--scenario NAME]

Sets up a customer and enrolls a laptop, in network namespaces that are removed afterwards.

  --json    print one event per line; the last one is the result
  --keep    leave everything running, and print what to try next (\`npm run lab\`)
  --scenario ${Object.keys(SCENARIOS).join('|')}
            play one of docs/operators.md afterwards: its bad days, or two operators
  --oem     a laptop as an OEM ships it: it claims itself with a token, with nobody in front of it
  --machine with --oem: the laptop is a virtual one with a kernel and a systemd of its own; some minutes
  --window  show the window on your screen instead, with a virtual YubiKey; needs a desktop (DISPLAY)
`;

const SERIAL = 12345678;

interface Flags {
  readonly json: boolean;
  readonly keep: boolean;
  readonly window: boolean;
  readonly oem: boolean;
  readonly machine: boolean;
  readonly scenario?: string | undefined;
}

await runScript({
  name: 'npm run demo',
  help: HELP,
  options: {
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    window: { type: 'boolean', default: false },
    oem: { type: 'boolean', default: false },
    machine: { type: 'boolean', default: false },
    scenario: { type: 'string' },
  },
  run: (flags) => demo(flags).then(() => 0),
});
// What is kept must not keep this process.
process.exit();

async function demo(flags: Flags): Promise<void> {
  const play = flags.scenario === undefined ? undefined : SCENARIOS[flags.scenario];
  if (flags.scenario !== undefined && play === undefined) {
    throw new KiwiError('usage', { detail: `--scenario is one of: ${Object.keys(SCENARIOS).join(', ')}` });
  }
  if (play !== undefined && (flags.oem || flags.window)) {
    throw new KiwiError('usage', { detail: '--scenario goes neither with --oem nor with --window' });
  }
  if (flags.machine && (!flags.oem || flags.keep)) {
    throw new KiwiError('usage', { detail: '--machine goes with --oem, and not with --keep' });
  }
  const began = performance.now();
  const say = (line: string): void => {
    if (!flags.json) process.stdout.write(`${line}\n`);
  };
  const emit = (event: object): void => {
    if (flags.json) printJson(event);
  };
  if (process.getuid?.() !== 0) {
    throw new KiwiError('not-root', { detail: 'the demo makes network namespaces', hint: 'Run it again as root.' });
  }

  /** Ctrl-C ends the demo and removes every namespace. */
  let world: World | undefined;
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      interruption.abort();
      say('\nStopping and cleaning up …');
      void world?.destroy();
    });
  }

  if (flags.window) {
    try {
      await showWindow(say, interruption.signal);
    } catch (error) {
      throw interruption.signal.aborted ? new KiwiError('cancelled', { cause: error }) : error;
    }
    return;
  }
  const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-demo-'));
  const before = await hostState();
  try {
    say('Setting up a customer, Acme GmbH, in network namespaces. This machine is not changed.');
    // What needs no slice is made beside its start: the laptop, and the reader in which its YubiKey will be.
    let made: { readonly laptop: Laptop; readonly reader: Reader } | undefined;
    world = await World.create({
      dir,
      signal: interruption.signal,
      meanwhile: async (making) => {
        if (flags.machine) return;
        const laptop = await making.addLaptop({ name: 'ada' });
        made = { laptop, reader: await making.plugIn(laptop, undefined, { mode: 'auto', delayMs: 700 }) };
      },
      progress: (what) => {
        say(`  - ${what}`);
        emit({ type: 'setup', what });
      },
    });
    const all = { world, began, say, emit, interruption: interruption.signal };
    const { setupMs, ...played } =
      made === undefined
        ? await oemInMachine(all)
        : await (flags.oem ? oem({ ...all, ...made }, flags) : byYubikey({ ...all, ...made }, flags, play));

    if (flags.keep) {
      await world.lab.keep();
      say(nextSteps({ kept: true, dir, oem: flags.oem }));
    } else {
      await made?.reader.stop();
      await world.destroy();
      await rm(dir, { recursive: true, force: true });
      const changed = await hostState();
      if (changed !== before) throw new Error(`this machine has changed:\n${before}\n---\n${changed}`);
      say('\nEverything was removed again. Network, resolver, trust store and packages of this machine are unchanged.');
      say(nextSteps({ kept: false, dir, oem: flags.oem }));
    }
    if (flags.json) printResult('green', { ms: performance.now() - began, setupMs, ...played });
  } catch (error) {
    const log = world?.sliceLog() ?? '';
    await world?.destroy().catch(() => undefined);
    await rm(dir, { recursive: true, force: true });
    if (interruption.signal.aborted) throw new KiwiError('cancelled', { cause: error });
    if (log !== '') process.stderr.write(`The end of the slice's log:\n${log.split('\n').slice(-15).join('\n')}\n`);
    throw error;
  }
}

interface Stage extends Omit<Scene, 'serial'> {
  readonly began: number;
  readonly emit: (event: object) => void;
  readonly interruption: AbortSignal;
}

/** A laptop that claims itself. @returns what a program reads of it */
async function oem({ world, laptop, began, say, emit }: Stage, { json }: Flags): Promise<{ setupMs: number }> {
  const setupMs = performance.now() - began;
  emit({ type: 'setup-done', ms: setupMs });
  say(`\nDone in ${(setupMs / 1000).toFixed(1)} s.`);
  const played = await playOem(world, laptop, { json, say });
  await proveTunnel(laptop, { say, emit });
  return { setupMs, ...played };
}

/** A virtual laptop that claims itself. @returns what a program reads of it */
async function oemInMachine({
  world,
  began,
  say,
  emit,
}: Pick<Stage, 'world' | 'began' | 'say' | 'emit'>): Promise<{ setupMs: number }> {
  say('  - a virtual laptop with a kernel of its own, and the package on it; the first time its disk is built');
  try {
    const machine = await makeMachine(world);
    const setupMs = performance.now() - began;
    emit({ type: 'setup-done', ms: setupMs });
    say(`\nDone in ${(setupMs / 1000).toFixed(1)} s.`);
    const played = await playOemMachine({ world, say, emit }, machine);
    await proveTunnel(machine, { say, emit });
    return { setupMs, ...played };
  } finally {
    for (const machine of Machine.running) await machine.powerCut();
  }
}

/** A laptop that is enrolled by a person with a YubiKey, and the scenario that was asked for. */
async function byYubikey(
  { world, laptop, reader, began, say, emit, interruption }: Stage,
  flags: Flags,
  play: ((scene: Scene) => Promise<object>) | undefined,
): Promise<{ setupMs: number; enrollment: object }> {
  say('  - a YubiKey for an engineer (virtual, behind the real pcscd and libykcs11)');
  await world.provisionKey(SERIAL);
  interruption.throwIfAborted();
  say('  - a laptop, ada');
  await reader.control.insert(world.keyFile(SERIAL));
  interruption.throwIfAborted();
  const setupMs = performance.now() - began;
  emit({ type: 'setup-done', ms: setupMs });

  say(
    `\nDone in ${(setupMs / 1000).toFixed(1)} s. Now ada enrolls; the demo enters the PIN and touches the YubiKey.\n`,
  );
  const enrollment = await playEnrollment(laptop, [...CLI, 'enroll'], { json: flags.json, pin: PIN });
  if (enrollment.code !== 0) {
    const why = flags.json ? `: ${JSON.stringify(enrollment.summary)}` : '';
    throw new Error(`the enrollment ended with ${enrollment.code}${why}`);
  }

  await proveTunnel(laptop, { say, emit });
  say('\n$ kiwistack-enroll status');
  const status = await laptop.run([...CLI, 'status']);
  say(status.stdout.trimEnd());
  emit({ type: 'certificate-kept', ...(await playUpkeep(laptop, { json: flags.json, say })) });
  if (play !== undefined) emit({ type: 'scenario', ...(await play({ world, laptop, reader, serial: SERIAL, say })) });
  return { setupMs, enrollment: enrollment.summary };
}

/** The internal network is reached. @throws when it is not */
async function proveTunnel(laptop: Pick<Machine, 'run'>, { say, emit }: Pick<Stage, 'say' | 'emit'>): Promise<void> {
  const ping = await laptop.run(['/usr/bin/ping', '-c', '1', '-W', '3', '10.77.1.30']);
  const https = await laptop.run(['/usr/bin/curl', '-sS', '--max-time', '5', INTRANET_URL]);
  const roundTrip = /time=([\d.]+) ms/.exec(ping.stdout)?.[1];
  const proof = {
    ping: ping.code === 0,
    pingMicroseconds: Math.round(Number(roundTrip ?? 'NaN') * 1000),
    https: https.stdout.trim(),
  };
  emit({ type: 'through-the-tunnel', ...proof });
  if (ping.code !== 0 || https.code !== 0)
    throw new Error(`the internal network is not reachable: ${ping.stderr}${https.stderr}`);
  say('\nThe internal network, through the tunnel:');
  say(`  ping 10.77.1.30           ${roundTrip ?? '?'} ms`);
  say(`  GET ${INTRANET_URL}   ${proof.https}`);
}
