import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { outliveReader } from '../../src/core/outlive-reader.ts';
import { attachLab, type AttachedLab } from './attach-lab.ts';
import { listLabs } from './lab-file.ts';
import type { Room } from './room.ts';

const help = `usage: npm run lab -- COMMAND [--dir D]

Enters the machines of a running lab, such as the one that \`npm run demo -- --keep\` leaves. Needs root.

  list               list the running labs and their rooms (machines)
  shell ROOM         open a shell in a room: slice, inside, or a laptop by its name
  run ROOM -- ARGV   run one program in a room; exits with its exit code
  down               stop the lab: end all processes, remove all rooms and the laptops' disks

--dir D names the lab's folder; needed only if several labs run.

examples
  npm run lab -- list
  npm run lab -- shell ada
  npm run lab -- run ada -- ping -c 3 10.77.1.20
`;

outliveReader();

class UsageError extends Error {}

async function chooseLab(dir: string | undefined): Promise<AttachedLab> {
  const dirs = dir === undefined ? await listLabs() : [dir];
  const [only, ...more] = dirs;
  if (only === undefined) throw new UsageError('no lab is running; start one with: npm run demo -- --keep');
  if (more.length > 0) throw new UsageError(`several labs are running; choose one with --dir: ${dirs.join(', ')}`);
  const lab = await attachLab(only);
  if (lab === undefined) throw new UsageError(`no lab is running in ${only}`);
  return lab;
}

function chooseRoom(lab: AttachedLab, name: string | undefined): Room {
  const names = lab.rooms.map((room) => room.name).join(', ');
  const room = lab.rooms.find((candidate) => candidate.name === name);
  if (room === undefined) throw new UsageError(`name one of these rooms: ${names}`);
  return room;
}

/** Runs a program in this terminal; resolves to its exit code. */
function enter(lab: AttachedLab, name: string | undefined, argv: readonly string[]): Promise<number> {
  const room = chooseRoom(lab, name);
  const cwd = join(import.meta.dirname, '..', '..');
  // The commands of this clone, and the Node that they need. (npx would have to write to the clone, which a laptop
  // cannot do.)
  const PATH = `${join(cwd, 'node_modules', '.bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  // D is the lab's folder, as in docs/tour.md.
  const env = { TERM: process.env['TERM'] ?? 'dumb', PATH, D: lab.dir };
  const child = room.spawn(argv, { stdio: 'inherit', foreground: true, cwd, env });
  // Ctrl-C is for the program inside.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

async function main(args: readonly string[]): Promise<number> {
  const end = args.indexOf('--');
  const inner = end === -1 ? [] : args.slice(end + 1);
  const { values, positionals } = parseArgs({
    args: end === -1 ? [...args] : args.slice(0, end),
    options: { dir: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  const [command, name] = positionals;
  if (values.help === true || command === 'help') {
    process.stdout.write(help);
    return 0;
  }
  switch (command) {
    case 'list': {
      const dirs = values.dir === undefined ? await listLabs() : [values.dir];
      if (dirs.length === 0) process.stdout.write('No lab is running.\n');
      for (const dir of dirs) {
        const lab = await attachLab(dir);
        if (lab === undefined) continue;
        process.stdout.write(`${lab.dir}\n`);
        for (const room of lab.rooms) process.stdout.write(`  ${room.name.padEnd(12)} ${room.address}\n`);
      }
      return 0;
    }
    case 'shell':
      return enter(await chooseLab(values.dir), name, ['/bin/bash', '-i']);
    case 'run': {
      if (inner.length === 0) throw new UsageError('name a program: npm run lab -- run ROOM -- PROGRAM …');
      return enter(await chooseLab(values.dir), name, inner);
    }
    case 'down': {
      const lab = await chooseLab(values.dir);
      await lab.down();
      process.stdout.write(`Stopped. The folder ${lab.dir} is left to look at; remove it with: rm -r ${lab.dir}\n`);
      return 0;
    }
    default:
      throw new UsageError(`there is no command "${command ?? ''}"; see npm run lab -- help`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof UsageError || (error as { code?: unknown }).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
  process.stderr.write(`error: ${usage ? (error as Error).message : String(error)}\n`);
  process.exitCode = usage ? 2 : 7;
}
