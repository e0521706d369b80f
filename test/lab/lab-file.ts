import { mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** DIR/lab.json: what another process needs to enter the rooms of a running lab. */
export interface LabFile {
  readonly holderPid: number;
  readonly rooms: readonly { readonly name: string; readonly address: string; readonly pid: number }[];
}

/** Where kept labs are recorded: one link per lab. */
const kept = join(import.meta.dirname, '..', '..', '.cache', 'labs');

/** Writes DIR/lab.json, readable only by root, atomically. */
export async function writeLabFile(dir: string, lab: LabFile): Promise<void> {
  const path = join(dir, 'lab.json');
  const temporary = `${path}.${process.pid}.${temporaryCount++}`;
  await writeFile(temporary, `${JSON.stringify(lab, null, 2)}\n`, { mode: 0o600 });
  await rename(temporary, path);
}
let temporaryCount = 0;

/** Reads DIR/lab.json; undefined if there is none, or if its lab has ended. */
export async function readLabFile(dir: string): Promise<LabFile | undefined> {
  try {
    const lab = JSON.parse(await readFile(join(dir, 'lab.json'), 'utf8')) as LabFile;
    // Process ids are reused: the process we look for was started with our script and this folder.
    const commandLine = (await readFile(`/proc/${lab.holderPid}/cmdline`, 'utf8')).split('\0');
    return commandLine.some((word) => word.endsWith('/holder.sh')) && commandLine.includes(dir) ? lab : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Records the folder of a lab that outlives the process that created it. */
export async function rememberLab(dir: string): Promise<void> {
  await mkdir(kept, { recursive: true });
  const link = linkOf(dir);
  await rm(link, { force: true });
  await symlink(dir, link);
}

/** Removes that record. */
export async function forgetLab(dir: string): Promise<void> {
  await rm(linkOf(dir), { force: true });
}

/** The folders of the kept labs that still run; the records of others are removed. */
export async function listLabs(): Promise<string[]> {
  const names = await readdir(kept).catch(() => []);
  const running: string[] = [];
  for (const name of names) {
    const dir = await readlink(join(kept, name));
    if ((await readLabFile(dir)) === undefined) await rm(join(kept, name), { force: true });
    else running.push(dir);
  }
  return running;
}

function linkOf(dir: string): string {
  return join(kept, createHash('sha256').update(dir).digest('hex').slice(0, 12));
}
