import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type { Command } from 'commander';

import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { EXIT } from '../../core/error-codes.ts';
import { revocationListPem } from '../../pki/revocation-list.ts';
import { crlDistributionPoint } from '../../slice/ca/render-ca-config.ts';
import { fetchRevocationList } from '../../slice/ca/fetch-revocation-list.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { loadIdentity } from '../../slice/config/slice-identity.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

interface CrlFlags extends SliceFlags {
  readonly out?: string;
  readonly caFile?: string;
}

/** `kiwistack-slice crl`: for RADIUS and every other server that asks for device certificates. */
export function addCrlCommand(program: Command, context: CommandContext): void {
  program
    .command('crl')
    .description('Fetch and check the list of revoked certificates, and write it for FreeRADIUS and other servers')
    .requiredOption('--dir <folder>', 'folder of the slice, which must be running')
    .option('--out <file>', 'write the list, PEM; left alone when it is the same')
    .option(
      '--ca-file <file>',
      "write the provider's root, the intermediate and the list, PEM: what FreeRADIUS's ca_file takes",
    )
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: CrlFlags) => carryOut(flags.json === true, () => crlCommand(flags, context)));
}

async function crlCommand(flags: CrlFlags, { clock }: CommandContext): Promise<number> {
  const dir = path.resolve(flags.dir);
  const { inside, ca } = await readSliceConfig(dir);
  const { mspRoot, intermediate } = await loadIdentity(slicePaths(dir));
  const url = crlDistributionPoint({ address: inside.address, crlPort: ca.crlPort });
  const list = await fetchRevocationList({ url, issuer: intermediate, now: clock.now() });
  const pem = revocationListPem(list);
  const written: string[] = [];
  for (const [file, text] of [
    [flags.out, pem],
    [flags.caFile, mspRoot.pem + intermediate.pem + pem],
  ] as const) {
    if (file !== undefined && (await replaceText(path.resolve(file), text))) written.push(path.resolve(file));
  }
  const { number, thisUpdate, nextUpdate, revoked } = list;
  const fields = {
    ...{ url, number, revoked: revoked.length, written },
    ...{ thisUpdate: thisUpdate.toISOString(), nextUpdate: nextUpdate.toISOString() },
  };
  printAnswer(flags, 'fetched', fields, [
    `List ${number} of ${url}: ${revoked.length} revoked certificates, valid until ${nextUpdate.toISOString()}.`,
    ...written.map((file) => `Written to ${file}.`),
  ]);
  return EXIT.done;
}

/** @returns false when it has this content already: who watches the file has nothing to do */
async function replaceText(file: string, text: string): Promise<boolean> {
  try {
    if ((await readFile(file, 'utf8')) === text) return false;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  await writeDurableFile(file, text, 0o644);
  return true;
}
