import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { runScript } from '../../src/terminal/run-script.ts';
import { explainMachineError } from './explain-machine-error.ts';
import { provideImage } from './image/build-image.ts';
import { Machine } from './machine.ts';

const help = `usage: npm run machine -- COMMAND [options]

Runs a virtual laptop with its own kernel: systemd, NetworkManager, kernel WireGuard, TPM, radios, suspend. Needs root.

  build      build its disk, kernel and initramfs, unless they are in .cache/machine already (about a minute)
  boot       boot it, print how long that took, run the program that follows --, and shut it down
  console    boot it in this terminal, logged in as root; "poweroff" ends it

options
  --dir D    keep its disk in D and reuse it; without this option, the disk is discarded

examples
  npm run machine -- build
  npm run machine -- boot -- uname -a
  npm run machine -- console --dir my-laptop
`;

async function main(dir: string | undefined, command: string | undefined, inner: readonly string[]): Promise<number> {
  const progress = (what: string): void => void process.stderr.write(`machine: ${what}\n`);
  switch (command) {
    case 'help':
      process.stdout.write(help);
      return 0;
    case 'build':
      await provideImage(progress);
      return 0;
    case 'boot':
      return withMachine(dir, false, async (machine) => {
        const started = performance.now();
        await machine.boot();
        progress(`booted in ${((performance.now() - started) / 1000).toFixed(1)} s`);
        const guest = machine.spawn(inner);
        guest.stdin.end();
        guest.stdout.pipe(process.stdout);
        guest.stderr.pipe(process.stderr);
        const code = await guest.ended;
        await machine.shutDown();
        return code;
      });
    case 'console':
      return withMachine(dir, true, async (machine) => {
        await machine.boot();
        await machine.ended();
        return 0;
      });
    default:
      throw new KiwiError('usage', {
        detail: command === undefined ? 'no command was given' : `there is no command ${command}`,
        hint: 'Run `npm run machine -- help` to see commands and examples.',
      });
  }
}

async function withMachine(
  kept: string | undefined,
  terminal: boolean,
  use: (machine: Machine) => Promise<number>,
): Promise<number> {
  const dir = kept === undefined ? await mkdtemp(path.join(tmpdir(), 'kiwistack-machine-')) : path.resolve(kept);
  try {
    return await use(await Machine.prepare({ dir, name: 'laptop', terminal }));
  } finally {
    if (kept === undefined) await rm(dir, { recursive: true, force: true });
  }
}

// What follows -- is for the program in the machine.
const given = process.argv.slice(2);
const end = given.includes('--') ? given.indexOf('--') : given.length;
const inner = end === given.length ? ['/bin/uname', '-a'] : given.slice(end + 1);
await runScript({
  name: 'npm run machine',
  help,
  options: { dir: { type: 'string' } },
  positionals: true,
  args: given.slice(0, end),
  run: ({ dir }, [command]) => main(dir, command, inner).catch(explainMachineError),
});
