import type { Command } from 'commander';

import { printable } from '../../core/log.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { LIMITS } from '../../protocol/common.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { onSlice, withSlice, type Flags } from './on-slice.ts';

/** `bundle`: what laptops hand over for support. */
export function addBundleCommands(program: Command): void {
  const bundle = program.command('bundle').description('Read support bundles of laptops');
  onSlice(bundle.command('verify <file>'))
    .description('Check that a support bundle is whole and signed by a laptop of this slice')
    .option('--show', 'print all of it')
    .action((file: string, flags: Flags & { show?: boolean }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags.dir, async (slice) => {
          const { manifest, device, signedAt, files } = await slice.verifyBundle(
            await readGivenFile(file, { maxBytes: LIMITS.bundle }),
          );
          printAnswer(flags, 'verified', { device, signedAt, manifest, ...(flags.show === true ? { files } : {}) }, [
            `Signed by ${device.hostName} (${device.id}, ${device.state}) at ${signedAt}, by its own clock.`,
            ...manifest.files.map(({ name, size, why }) => `  ${name}  ${size} bytes  ${why}`),
            ...(flags.show === true
              ? Object.entries(files).flatMap(([name, text]) => [
                  '',
                  `--- ${name}`,
                  ...text.trimEnd().split('\n').map(printable),
                ])
              : []),
          ]);
          return 0;
        }),
      ),
    );
}
