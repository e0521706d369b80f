import { join } from 'node:path';

import { KiwiError } from '../../src/core/errors.ts';
import { runScript } from '../../src/terminal/run-script.ts';
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

const usage = (detail: string): KiwiError =>
  new KiwiError('usage', { detail, hint: 'Run `npm run lab -- help` to see commands and examples.' });

const noLab = (detail: string): KiwiError =>
  new KiwiError('usage', { detail, hint: 'Start one with `npm run demo -- --keep`.' });

async function chooseLab(dir: string | undefined): Promise<AttachedLab> {
  const dirs = dir === undefined ? await listLabs() : [dir];
  const [only, ...more] = dirs;
  if (only === undefined) throw noLab('no lab is running');
  if (more.length > 0) throw usage(`several labs are running; choose one with --dir: ${dirs.join(', ')}`);
  const lab = await attachLab(only);
  if (lab === undefined) throw noLab(`no lab is running in ${only}`);
  return lab;
}

function chooseRoom(lab: AttachedLab, name: string | undefined): Room {
  const names = lab.rooms.map((room) => room.name).join(', ');
  const room = lab.rooms.find((candidate) => candidate.name === name);
  if (room !== undefined) return room;
  throw usage(name === undefined ? `name a room: ${names}` : `there is no room ${name}; there are: ${names}`);
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

async function run(dir: string | undefined, positionals: readonly string[], inner: readonly string[]): Promise<number> {
  const [command, name] = positionals;
  switch (command) {
    case 'help':
      process.stdout.write(help);
      return 0;
    case 'list': {
      const dirs = dir === undefined ? await listLabs() : [dir];
      if (dirs.length === 0) process.stdout.write('No lab is running.\n');
      for (const found of dirs) {
        const lab = await attachLab(found);
        if (lab === undefined) continue;
        process.stdout.write(`${lab.dir}\n`);
        for (const room of lab.rooms) process.stdout.write(`  ${room.name.padEnd(12)} ${room.address}\n`);
      }
      return 0;
    }
    case 'shell':
      return enter(await chooseLab(dir), name, ['/bin/bash', '-i']);
    case 'run': {
      if (inner.length === 0) throw usage('name a program: npm run lab -- run ROOM -- PROGRAM …');
      return enter(await chooseLab(dir), name, inner);
    }
    case 'down': {
      const lab = await chooseLab(dir);
      await lab.down();
      process.stdout.write(`Stopped. The folder ${lab.dir} is left to look at; remove it with: rm -r ${lab.dir}\n`);
      return 0;
    }
    default:
      throw usage(command === undefined ? 'no command was given' : `there is no command ${command}`);
  }
}

// What follows -- is for the program in the room.
const given = process.argv.slice(2);
const end = given.includes('--') ? given.indexOf('--') : given.length;
await runScript({
  name: 'npm run lab',
  help,
  options: { dir: { type: 'string' } },
  positionals: true,
  args: given.slice(0, end),
  run: ({ dir }, positionals) => run(dir, positionals, given.slice(end + 1)),
});
