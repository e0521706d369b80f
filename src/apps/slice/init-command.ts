import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { initSlice } from '../../slice/init/init-slice.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext } from './command-context.ts';
import { initOptions, type InitFlags } from './init-options.ts';

/** `kiwistack-slice init` */
export async function initCommand(flags: InitFlags, { clock }: CommandContext): Promise<number> {
  const config = await initSlice(await initOptions(flags), clock);
  const dir = path.resolve(flags.dir);
  printAnswer(flags, 'made', { dir, slug: config.customer.slug }, [
    `Created the slice of ${config.customer.name} in ${dir}.`,
    `Next: \`${process.getuid?.() === 0 ? '' : 'sudo '}kiwistack-slice up --dir ${flags.dir}\``,
  ]);
  return EXIT.done;
}
