import { KiwiError } from '../../core/errors.ts';
import { update, type UpdateResult } from '../../laptop/upkeep/update.ts';
import { printJson } from '../../terminal/report.ts';
import { jsonOutput, humanOutput } from './enroll-output.ts';
import { laptopContext, logged } from './laptop-context.ts';

const SAID: Readonly<Record<UpdateResult['result'], string>> = {
  updated: 'Version {version} was installed.',
  current: 'This laptop has the version that your provider has released, or a newer one.',
  'not-yet': 'Version {version} is released. Other laptops take it first.',
  'not-for-this-laptop': 'Version {version} has no package for this laptop.',
  'not-offered': 'No version is offered.',
  'not-pinned': 'The package names no key for releases: this laptop is updated by other means.',
  'not-enrolled': 'This laptop is not enrolled; nothing to do.',
};

/** `kiwistack-enroll update`: run every day by a timer. It needs root, because it replaces the agent that others would ask. */
export async function updateCommand(flags: { readonly json?: boolean }, signal: AbortSignal): Promise<void> {
  if (process.getuid?.() !== 0) throw new KiwiError('not-root');
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const done = await update(await laptopContext(signal, output));
  logged().log?.write('info', 'update', { result: done.result, version: done.version });
  if (flags.json === true) printJson({ type: 'result', ...done });
  else process.stdout.write(`${SAID[done.result].replace('{version}', done.version ?? '')}\n`);
}
