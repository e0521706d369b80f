import path from 'node:path';

import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import { collectBundle, type Bundle } from '../../laptop/support/collect-bundle.ts';
import { printJson } from '../../terminal/report.ts';
import { laptopContext } from './laptop-context.ts';

export interface BundleFlags {
  readonly output?: string;
  readonly show?: boolean;
  readonly json?: boolean;
}

/** `kiwistack-enroll support-bundle`: writes the bundle to a file, and says what is in it. */
export async function supportBundleCommand(flags: BundleFlags, signal: AbortSignal): Promise<void> {
  // Whoever asks for the password of an administrator chooses the arguments: no file in a place of their choice.
  if (process.env['PKEXEC_UID'] !== undefined) {
    throw new KiwiError('usage', {
      detail: 'support-bundle is not run under pkexec',
      hint: 'Run the command with sudo.',
    });
  }
  const bundle = await collectBundle(await laptopContext(signal));
  const file = path.resolve(flags.output ?? nameOf(systemClock.now()));
  await writeNewFile(file, bundle.text);
  if (flags.json === true) {
    const { manifest, signed } = bundle;
    printJson({ type: 'result', result: 'written', file, signed, manifest });
    return;
  }
  process.stdout.write(`${linesOf(bundle, file, flags.show === true).join('\n')}\n`);
}

const nameOf = (now: number): string =>
  `kiwistack-support-${new Date(now).toISOString().replace(/[:.]/g, '').slice(0, 15)}Z.json`;

function linesOf({ manifest, signed, files }: Bundle, file: string, show: boolean): string[] {
  const width = Math.max(...manifest.files.map(({ name }) => name.length));
  return [
    `Written to ${file}; nothing was sent. It contains:`,
    ...manifest.files.map(
      ({ name, size, why }) => `  ${name.padEnd(width)}  ${String(size).padStart(6)} bytes  ${why}`,
    ),
    `Left out because nothing says that it may leave: ${manifest.leftOut} fields and lines.`,
    signed
      ? 'It is signed by this laptop. Your operator checks it with `kiwistack-operator bundle verify`.'
      : 'It is NOT signed: this laptop has no device key.',
    ...(show
      ? Object.entries(files).flatMap(([name, text]) => ['', `--- ${name}`, text.trimEnd()])
      : ['`--show` prints all of it.']),
  ];
}
