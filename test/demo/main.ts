// `npm run demo`: from nothing to a laptop that is online in Fleet, in namespaces that are removed afterwards.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { outliveReader } from '../../src/core/outlive-reader.ts';
import { CLI, INTRANET_URL, PIN, World } from '../world/world.ts';
import { hostState } from './host-state.ts';
import { nextSteps } from './next-steps.ts';
import { playEnrollment } from './play-enrollment.ts';

outliveReader();
const flags = readFlags();
if (flags.help) {
  process.stdout.write(`usage: npm run demo [-- --json|--keep]

Sets up a customer and enrolls a laptop, in network namespaces that are removed afterwards.

  --json  print one event per line; the last one is the result
  --keep  leave everything running, and print what to try next (\`npm run lab\`)
`);
  process.exit(0);
}

function readFlags() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\nhint: see npm run demo -- --help\n`);
    process.exit(2);
  }
}

const SERIAL = 12345678;
const began = performance.now();
const say = (line: string): void => {
  if (!flags.json) process.stdout.write(`${line}\n`);
};
const emit = (event: object): void => {
  if (flags.json) process.stdout.write(`${JSON.stringify(event)}\n`);
};

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

if (process.getuid?.() !== 0) {
  process.stderr.write('error: the demo needs root, to create namespaces.\nhint: run it again with sudo.\n');
  process.exit(6);
}

const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-demo-'));
const before = await hostState();
try {
  say('Setting up a customer, Acme GmbH, in network namespaces. This machine is not changed.');
  world = await World.create({
    dir,
    signal: interruption.signal,
    progress: (what) => {
      say(`  - ${what}`);
      emit({ type: 'setup', what });
    },
  });
  say('  - a YubiKey for an engineer (virtual, behind the real pcscd and libykcs11)');
  await world.provisionKey(SERIAL);
  interruption.signal.throwIfAborted();
  say('  - a laptop, ada');
  const laptop = await world.addLaptop({ name: 'ada' });
  const key = await world.plugIn(laptop, SERIAL, { mode: 'auto', delayMs: 700 });
  interruption.signal.throwIfAborted();
  const setupMs = performance.now() - began;
  emit({ type: 'setup-done', ms: Math.round(setupMs) });

  say(
    `\nDone in ${(setupMs / 1000).toFixed(1)} s. Now ada enrolls; the demo enters the PIN and touches the YubiKey.\n`,
  );
  const enrollment = await playEnrollment(laptop, [...CLI, 'enroll'], { json: flags.json, pin: PIN });
  if (enrollment.code !== 0) throw new Error(`the enrollment ended with ${enrollment.code}`);

  const ping = await laptop.run(['/usr/bin/ping', '-c', '1', '-W', '3', '10.77.1.30']);
  const https = await laptop.run(['/usr/bin/curl', '-sS', '--max-time', '5', INTRANET_URL]);
  const roundTrip = /time=([\d.]+) ms/.exec(ping.stdout)?.[1];
  const proof = { ping: ping.code === 0, pingMs: Number(roundTrip ?? 'NaN'), https: https.stdout.trim() };
  emit({ type: 'through-the-tunnel', ...proof });
  if (ping.code !== 0 || https.code !== 0)
    throw new Error(`the internal network is not reachable: ${ping.stderr}${https.stderr}`);
  say('\nThe internal network, through the tunnel:');
  say(`  ping 10.77.1.30           ${roundTrip ?? '?'} ms`);
  say(`  GET ${INTRANET_URL}   ${proof.https}`);
  say('\n$ kiwistack-enroll status');
  const status = await laptop.run([...CLI, 'status']);
  say(status.stdout.trimEnd());

  if (flags.keep) {
    await world.lab.keep();
    say(nextSteps({ kept: true, dir }));
  } else {
    await key.stop();
    await world.destroy();
    await rm(dir, { recursive: true, force: true });
    const changed = await hostState();
    if (changed !== before) throw new Error(`this machine has changed:\n${before}\n---\n${changed}`);
    say('\nEverything was removed again. Network, resolver, trust store and packages of this machine are unchanged.');
    say(nextSteps({ kept: false, dir }));
  }
  emit({
    result: 'green',
    ms: Math.round(performance.now() - began),
    setupMs: Math.round(setupMs),
    ...enrollment.summary,
  });
  process.exit(0);
} catch (error) {
  const log = world?.sliceLog() ?? '';
  await world?.destroy().catch(() => undefined);
  await rm(dir, { recursive: true, force: true });
  if (interruption.signal.aborted) process.exit(130);
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`error: the demo failed: ${message}\n`);
  if (log !== '') process.stderr.write(`The end of the slice's log:\n${log.split('\n').slice(-15).join('\n')}\n`);
  emit({ result: 'failed', message });
  process.exit(7);
}
