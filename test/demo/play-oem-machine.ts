import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { buildDeb } from '../contract/linux-package/build.ts';
import { deliver, listed } from '../machine/deliver.ts';
import { explainMachineError } from '../machine/explain-machine-error.ts';
import { installPackage } from '../machine/install-package.ts';
import { addMachine } from '../machine/join-world.ts';
import type { Machine } from '../machine/machine.ts';
import { writeList } from '../world/delivery.ts';
import type { World } from '../world/world.ts';
import { followFirstStart } from './follow-first-start.ts';
import { letItIn } from './let-it-in.ts';
import { operatorTypes } from './operator-types.ts';

interface Stage {
  readonly world: World;
  readonly say: (line: string) => void;
  readonly emit: (event: object) => void;
}

/** How long each step took, milliseconds, in the order in which they were carried out. */
type Times = [what: string, ms: number][];

/** The laptop as it comes from the factory's line: with the package, and without a token. */
export async function makeMachine(world: World): Promise<Machine> {
  const roots = path.join(world.sliceDir, 'msp', 'root.crt');
  const dir = path.join(world.dir, 'private', 'laptop');
  const [machine, deb] = await Promise.all([
    addMachine(world, { dir, name: 'oem' }).catch(explainMachineError),
    buildDeb(path.join(world.dir, 'private'), ['--msp-roots', roots]),
  ]);
  await installPackage(machine, deb);
  return machine;
}

/**
 * From an OEM's list to a virtual laptop that has claimed itself: its own systemd starts the claim, and the kernel has the tunnel. qemu
 * emulates the processor, so that what the laptop does takes some ten times as long as on a real one.
 * @returns what a program reads of it
 */
export async function playOemMachine(stage: Stage, machine: Machine): Promise<object> {
  const { world, say, emit } = stage;
  const times: Times = [];
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const done = await work();
    times.push([what, performance.now() - began]);
    return done;
  };
  const folder = path.join(world.dir, 'private', 'delivery');
  const list = await writeList(folder, [listed(machine)]);
  say('\nAn OEM is about to ship a laptop, and sends its list:\n');
  for (const row of (await readFile(list, 'utf8')).trim().split('\r\n')) say(`  ${row}`);
  const tokens = path.join(folder, 'tokens');
  const options = ['--list', list, '--role', 'engineer', '--output', tokens];
  await timed('the operator makes the token', () => operatorTypes(stage, ['batch', 'create', '2026-11', ...options]));
  await timed('the OEM puts it on the disk, and switches off', () => deliver(machine, tokens));
  say('\nThe laptop is shipped, and switched on for the first time. Its screen shows, in seconds since then:\n');

  const began = performance.now();
  await timed('the laptop starts', () => machine.boot());
  let letIn: Promise<void> | undefined;
  await followFirstStart(machine, (line, ms) => {
    say(`${(ms / 1000).toFixed(1).padStart(6)} s  ${line}`);
    emit({ type: 'screen', line, ms });
    const code = /code (\d{6})/u.exec(line)?.[1];
    // Its TPM is not on the list, so that somebody has to look.
    if (code !== undefined) letIn ??= timed('an operator lets it in', () => letItIn(stage, code));
  });
  await letIn;
  const claimedMs = performance.now() - began;
  times.push(['from the switch to the claimed laptop', claimedMs]);
  await operatorTypes(stage, ['batch', 'show', '2026-11']);
  say('\n$ kiwistack-enroll status    # on the laptop');
  say((await machine.run(['/usr/bin/kiwistack-enroll', 'status'])).stdout.trimEnd());
  say('\nHow long each step took:');
  for (const [what, ms] of times) say(`  ${what.padEnd(46)} ${(ms / 1000).toFixed(1).padStart(6)} s`);
  return { scenario: 'oem-machine', claimedMs, steps: Object.fromEntries(times) };
}
