import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { provideImage } from './image/build-image.ts';
import { MachineError } from './image/tools.ts';
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

async function main(args: readonly string[]): Promise<number> {
  const end = args.indexOf('--');
  const inner = end === -1 ? ['/bin/uname', '-a'] : args.slice(end + 1);
  const { values, positionals } = parseArgs({
    args: end === -1 ? [...args] : args.slice(0, end),
    options: { dir: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  const [command] = positionals;
  if (values.help === true || command === 'help') {
    process.stdout.write(help);
    return 0;
  }
  const progress = (what: string): void => void process.stderr.write(`machine: ${what}\n`);
  switch (command) {
    case 'build':
      await provideImage(progress);
      return 0;
    case 'boot':
      return withMachine(values.dir, false, async (machine) => {
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
      return withMachine(values.dir, true, async (machine) => {
        await machine.boot();
        await machine.ended();
        return 0;
      });
    default:
      process.stderr.write(help);
      return 2;
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

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { message } = error as Error;
  const hint = error instanceof MachineError ? `\nhint: ${error.hint}` : '';
  process.stderr.write(`error: ${message}${hint}\n`);
  process.exitCode = (error as { code?: unknown }).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? 2 : 7;
}
