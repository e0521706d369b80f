import type { Command } from 'commander';
import path from 'node:path';

import { base64url } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { printable } from '../../core/log.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import { LIMITS } from '../../protocol/common.ts';
import type { VerifiedBundle } from '../../protocol/operator-records.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { listing, onList, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { Id } from './table.ts';

type ShowFlags = Flags & { show?: boolean };

/** `bundle`: what laptops send or hand over for support. */
export function addBundleCommands(program: Command): void {
  const bundle = program.command('bundle').description('Read support bundles of laptops');
  onList(bundle.command('list'))
    .description(
      'List the bundles that laptops have sent, newest first; the last three of a laptop are kept for 30 days',
    )
    .action((flags: Flags) =>
      listing(flags, async (slice) =>
        (await slice.ask('bundle.list')).map(({ id, hostName, receivedAt, bytes, deviceId }) => ({
          ...{ id, device: hostName, received: time(receivedAt), bytes, deviceId: new Id(deviceId) },
        })),
      ),
    );
  onSlice(bundle.command('save <bundle>'))
    .description(
      'Write one of them into a file, by its number, after it was verified; the audit says who was read about',
    )
    .option('--output <file>', 'the file; it must not be there yet (default: bundle-NUMBER.json)')
    .option('--show', 'print all of it')
    .action((given: string, flags: ShowFlags & { output?: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const id = numberOf(given);
          const { text, ...bundle } = await slice.ask('bundle.read', { bundle: id });
          const file = path.resolve(flags.output ?? `bundle-${id}.json`);
          await writeNewFile(file, text);
          printAnswer(flags, 'saved', { file, ...fieldsOf(bundle, flags) }, [
            `Saved to ${file}.`,
            ...linesOf(bundle, flags),
          ]);
          return 0;
        }),
      ),
    );
  onSlice(bundle.command('remove <bundle>'))
    .description('Delete one of them from the slice, by its number')
    .action((given: string, flags: Flags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const id = numberOf(given);
          await slice.ask('bundle.remove', { bundle: id });
          printAnswer(flags, 'removed', { id }, [`Bundle ${id} was removed.`]);
          return 0;
        }),
      ),
    );
  onSlice(bundle.command('verify <file>'))
    .description('Check that a support bundle is whole and signed by a laptop of this slice')
    .option('--show', 'print all of it')
    .addHelpText(
      'after',
      `
FILE is what \`kiwistack-enroll support-bundle\` wrote and somebody gave to you; one that was sent is verified by \`bundle save\`.
The signature is checked with the device key that the registry has for the laptop, also after the device has ended.

Example:
  kiwistack-operator bundle verify anna-laptop.json --dir acme --show`,
    )
    .action((file: string, flags: ShowFlags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const bytes = await readGivenFile(file, { maxBytes: LIMITS.bundle });
          const bundle = await slice.ask('bundle.verify', { bundle: base64url(bytes) });
          printAnswer(flags, 'verified', fieldsOf(bundle, flags), linesOf(bundle, flags));
          return 0;
        }),
      ),
    );
}

function numberOf(given: string): number {
  if (/^\d{1,15}$/u.test(given)) return Number(given);
  throw new KiwiError('usage', { detail: `no bundle ${given}`, hint: 'See `kiwistack-operator bundle list`.' });
}

function fieldsOf({ device, signedAt, manifest, files }: VerifiedBundle, { show }: ShowFlags): object {
  return { device, signedAt, manifest, ...(show === true ? { files } : {}) };
}

function linesOf({ device, signedAt, manifest, files }: VerifiedBundle, { show }: ShowFlags): string[] {
  return [
    `Signed by ${device.hostName} (${device.id}, ${device.state}) at ${signedAt}, by its own clock.`,
    ...manifest.files.map(({ name, size, why }) => `  ${name}  ${size} bytes  ${why}`),
    ...(show === true
      ? Object.entries(files).flatMap(([name, text]) => [
          '',
          `--- ${name}`,
          ...text.trimEnd().split('\n').map(printable),
        ])
      : []),
  ];
}
