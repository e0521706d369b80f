import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Machine } from './machine.ts';

const KEPT = path.join(import.meta.dirname, '..', '..', '.cache', 'machine-consoles');

/** As much of vitest's task as is asked. */
interface Task {
  readonly name: string;
  readonly result?: { readonly state: string };
  readonly tasks?: readonly Task[];
}

/** A folder for the machines of a suite, one folder a machine in it. */
export function makeSuiteFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'kiwistack-machine-'));
}

/** Switches the machines off and takes the folder away; what the consoles said is kept when something failed, and where is printed. */
export async function removeSuiteFolder(dir: string, suite: Task): Promise<void> {
  for (const machine of Machine.running) await machine.powerCut();
  if (failed(suite)) {
    const kept = path.join(KEPT, path.basename(suite.name, '.test.ts'));
    await rm(kept, { recursive: true, force: true });
    for (const entry of await readdir(dir, { withFileTypes: true })) {
      for (const file of ['console.log', 'qemu.log']) {
        await mkdir(path.join(kept, entry.name), { recursive: true });
        await copyFile(path.join(dir, entry.name, file), path.join(kept, entry.name, file)).catch(() => undefined);
      }
    }
    process.stderr.write(`machine: the consoles are kept in ${kept}\n`);
  }
  await rm(dir, { recursive: true, force: true });
}

function failed({ result, tasks = [] }: Task): boolean {
  return result?.state === 'fail' || tasks.some(failed);
}
