import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { initSlice } from '../../slice/init/init-slice.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext } from './command-context.ts';
import { initOptions, type InitFlags } from './init-options.ts';

/** `kiwistack-slice init` */
export async function initCommand(flags: InitFlags, { clock }: CommandContext): Promise<number> {
  const config = await initSlice(await initOptions(flags), clock);
  const dir = path.resolve(flags.dir);
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const own = flags.rootCertificate === undefined;
  const { key } = slicePaths(dir).msp;
  printAnswer(flags, 'made', { dir, slug: config.customer.slug, ...(own ? { rootKey: key } : {}) }, [
    `Created the slice of ${config.customer.name} in ${dir}.`,
    ...(own
      ? [
          `The provider's root key is ${key}. Whoever has it can speak for every website on every laptop of this provider.`,
          'Nothing here needs it: copy it to two places offline now, and delete it here.',
          `Next: \`${sudo}kiwistack-slice up --dir ${flags.dir}\``,
        ]
      : [
          'It can run when the provider has signed its intermediate.',
          `Next: \`${sudo}kiwistack-slice intermediate request --dir ${flags.dir} --out REQUEST.json\``,
        ]),
  ]);
  return EXIT.done;
}
