import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Lab, type Laptop, type Room } from '../../lab/lab.ts';

const DRIVERS = path.join(import.meta.dirname, 'drivers');

export interface Driven {
  readonly ok?: unknown;
  readonly error?: { readonly code: string; readonly detail?: string };
  /** How long the call itself took, without the start of Node. */
  readonly ms: number;
}

/** Runs one call of product code in a room and tells what it answered. */
export async function drive(room: Room, driver: string, call: unknown, cwd = '/root'): Promise<Driven> {
  const result = await room.run([process.execPath, path.join(DRIVERS, `${driver}.ts`)], {
    input: JSON.stringify(call),
    timeoutMs: 240_000,
    cwd,
  });
  if (result.code !== 0) throw new Error(`${driver}: exit code ${result.code}\n${result.stderr}\n${result.stdout}`);
  if (result.stderr !== '') console.error(result.stderr);
  return JSON.parse(result.stdout) as Driven;
}

/** A lab for one test file; `destroy` also takes its folder away. */
export async function makeLab(): Promise<{ lab: Lab; destroy: () => Promise<void> }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'kiwi-linux-'));
  const lab = await Lab.create({ dir });
  return {
    lab,
    destroy: async () => {
      await lab.destroy();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Runs a program that must succeed. */
export async function must(room: Room, argv: readonly string[], input?: string): Promise<string> {
  const result = await room.run(argv, input === undefined ? {} : { input });
  if (result.code !== 0) throw new Error(`${argv.join(' ')}: exit code ${result.code}\n${result.stderr}`);
  return result.stdout;
}

/** What differs from the disk as delivered, but for the folder in which systemd keeps the links of enabled units. */
export async function leftovers(laptop: Laptop): Promise<string[]> {
  const folder = '/etc/systemd/system/multi-user.target.wants';
  return (await laptop.changes()).filter(
    (line) => !(line === `${folder} dir 0755` || (line.startsWith(`${folder}/`) && line.endsWith(' gone'))),
  );
}
