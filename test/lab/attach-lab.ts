import { existsSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { forgetLab, readLabFile } from './lab-file.ts';
import { NamespaceRoom } from './namespace-room.ts';
import type { Room } from './room.ts';

/** A running lab that another process created. */
export interface AttachedLab {
  readonly dir: string;
  readonly rooms: readonly Room[];
  /** Ends everything in it, as `Lab.destroy` does. */
  down(): Promise<void>;
}

/** Opens the lab in `dir`, so that its rooms can be entered; undefined if none runs there. */
export async function attachLab(dir: string): Promise<AttachedLab | undefined> {
  const folder = resolve(dir);
  const lab = await readLabFile(folder);
  if (lab === undefined) return undefined;
  return {
    dir: folder,
    rooms: lab.rooms.map(({ name, address, pid }) => new NamespaceRoom(name, address, { pid })),
    async down() {
      // Pid 1 of the lab: the kernel ends every room with it.
      process.kill(lab.holderPid, 'SIGKILL');
      const end = Date.now() + 10_000;
      while (existsSync(`/proc/${lab.holderPid}`)) {
        if (Date.now() > end) throw new Error(`the lab in ${folder} does not end`);
        await new Promise((done) => setTimeout(done, 10));
      }
      await rm(join(folder, 'lab.json'), { force: true });
      await rmdir(join(folder, 'disk')).catch(() => undefined);
      await forgetLab(folder);
    },
  };
}
