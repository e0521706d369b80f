import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { agentJob, checkJob, mendJob } from '../../platform/macos/jobs.ts';
import { renderJob } from '../../platform/macos/launchd.ts';
import { daemonFile, PATHS } from '../../platform/macos/paths.ts';
import { entriesBelow, type Entry } from './entry.ts';

/** Not on anybody's PATH is what else is in the folder of programs: Node, `wg`. */
const COMMAND = `${PATHS.program}/command`;
const PLACEHOLDER_MINUTE = 0;

const inside = (file: string): string => file.replace(/^\//u, '');

/** Everything of the agent: the program, folders that launchd needs and does not make, its jobs, and the entry in PATH. */
export async function layOutAgent(program: string): Promise<Entry[]> {
  const jobs = [agentJob(), checkJob(PLACEHOLDER_MINUTE), mendJob()];
  const text = (target: string, said: string): Entry => ({
    kind: 'file',
    target: inside(target),
    mode: 0o644,
    content: Buffer.from(said),
  });
  return [
    ...(await entriesBelow(program, inside(PATHS.program))),
    { kind: 'link', target: inside(`${COMMAND}/kiwistack-enroll`), mode: 0o755, to: '../bin/kiwistack-enroll' },
    { kind: 'folder', target: inside(path.posix.dirname(PATHS.agentSocket)), mode: 0o755 },
    { kind: 'folder', target: inside(PATHS.log), mode: 0o755 },
    ...jobs.map((job) => text(daemonFile(job.Label), renderJob(job))),
    // /etc is a link. path_helper(8) reads it for each shell.
    text('/private/etc/paths.d/kiwistack', `${COMMAND}\n`),
  ];
}

/** What runs before and after the files are laid out. */
export async function layOutScripts(version: string): Promise<Entry[]> {
  const names = ['preinstall', 'postinstall'];
  return Promise.all(
    names.map(async (target): Promise<Entry> => {
      const script = await readFile(path.join(import.meta.dirname, 'scripts', target), 'utf8');
      return { kind: 'file', target, mode: 0o755, content: Buffer.from(script.replaceAll('@VERSION@', version)) };
    }),
  );
}
