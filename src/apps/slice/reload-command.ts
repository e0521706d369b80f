import path from 'node:path';

import type { Command } from 'commander';

import { EXIT } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import { isAlive } from '../../programs/process-mark.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { readWebCertificate, writeWebCertificate } from '../../slice/init/web-certificate.ts';
import { askReload } from '../../slice/run/control-socket.ts';
import { readRunRecord } from '../../slice/run/run-record.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

interface ReloadFlags extends SliceFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** `kiwistack-slice reload`: the gateway takes another web certificate, and nothing is interrupted. */
export function addReloadCommand(program: Command, context: CommandContext): void {
  program
    .command('reload')
    .description(
      'Have a running slice take its web certificate again, without an interruption; one that is broken is refused',
    )
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--tls-cert <file>', 'the new certificate chain, PEM: checked, and put into the slice first')
    .option('--tls-key <file>', 'its key, PEM')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: ReloadFlags) => carryOut(flags.json === true, () => reloadCommand(flags, context)));
}

async function reloadCommand(flags: ReloadFlags, { clock }: CommandContext): Promise<number> {
  const { tlsCert, tlsKey } = flags;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new KiwiError('usage', { detail: '--tls-cert and --tls-key must be given together' });
  }
  const dir = path.resolve(flags.dir);
  const { gateway } = await readSliceConfig(dir);
  const paths = slicePaths(dir);
  if (tlsCert !== undefined && tlsKey !== undefined) {
    const files = { certificateFile: tlsCert, keyFile: tlsKey };
    await writeWebCertificate(paths, await readWebCertificate(files, gateway.url, new Date(clock.now())));
  }
  const record = await readRunRecord(paths.run.lock);
  if (record === undefined || !(await isAlive(record.slice))) {
    printAnswer(flags, 'not-running', {}, ['The slice is not running. It takes its web certificate when it starts.']);
    return EXIT.done;
  }
  await askReload(paths.run.controlSocket);
  printAnswer(flags, 'reloaded', {}, ['The gateway uses the web certificate in its folder now.']);
  return EXIT.done;
}
