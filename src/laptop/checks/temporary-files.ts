import path from 'node:path';

import type { LaptopContext } from '../system/laptop-context.ts';

/** As `writeDurableFile` names them. */
const TEMPORARY = /^\.(.+)\.[0-9a-f]{12}\.tmp$/u;
/** A file that is being written is younger. */
const OLD_MS = 600_000;

/** What writes that were killed have left of files of ours, for longer than any write takes. */
export async function temporaryFiles({ platform, clock }: LaptopContext, slug: string): Promise<string[]> {
  const { inspector } = platform;
  const ours = [...(await platform.files(slug)), path.join(platform.stateFolder, 'any')];
  const folders = new Map<string, Set<string>>();
  for (const file of ours) {
    const names = folders.get(path.dirname(file)) ?? new Set();
    folders.set(path.dirname(file), names.add(path.basename(file)));
  }
  const found: string[] = [];
  for (const [folder, names] of folders) {
    for (const name of await inspector.names(folder)) {
      const of = TEMPORARY.exec(name)?.[1];
      // The state folder is ours alone; in others only what was to become a file of ours.
      if (of === undefined || (folder !== platform.stateFolder && !names.has(of))) continue;
      const file = path.join(folder, name);
      const facts = await inspector.file(file);
      if (facts?.kind === 'file' && clock.now() - facts.modifiedAt > OLD_MS) found.push(file);
    }
  }
  return found;
}
