import path from 'node:path';

import type { Command } from 'commander';

import { KiwiError } from '../../core/errors.ts';
import { readRecipient } from '../../pki/recipient-files.ts';
import type { TokenRecord } from '../../protocol/operator-records.ts';
import { carryOut, numberUpTo } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { readLaptopList } from './laptop-list.ts';
import { makeBatch } from './make-batch.ts';
import { listing, onList, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { Id, type Row } from './table.ts';

const LONGEST_DAYS = 730;

type CreateFlags = Flags & {
  readonly list: string;
  readonly role: string;
  readonly output: string;
  readonly days: number;
  readonly recipient?: string;
};
type RevokeFlags = Flags & { readonly serial?: readonly string[]; readonly why: string; readonly yes?: boolean };

/** `batch`: the tokens of laptops that an OEM delivers. */
export function addBatchCommands(program: Command): void {
  const batch = program.command('batch').description('Make the tokens of laptops that an OEM delivers');
  onSlice(batch.command('create <batch>'))
    .description('Make a token for each laptop of a list, to be put on it by its OEM: with it the laptop claims itself')
    .requiredOption('--list <file>', 'CSV with the column serial, and perhaps uuid, model and ek_certificate')
    .requiredOption('--role <role>', 'the role of these laptops')
    .requiredOption('--output <folder>', 'where to write the tokens: SERIAL.json')
    .option('--days <number>', 'how long a laptop may take until its first start', numberUpTo(LONGEST_DAYS), 180)
    .option('--recipient <file>', "the OEM's public key, P-256, PEM: the tokens are sealed for it, as SERIAL.sealed")
    .action((name: string, flags: CreateFlags) => carryOut(flags.json === true, () => create(name, flags)));
  onList(batch.command('list'))
    .description('List the batches: how many laptops, and how many have claimed themselves')
    .action((flags: Flags) => listing(flags, async (slice) => batchesOf(await slice.ask('batch.tokens', {}))));
  onList(batch.command('show <batch>'))
    .description('List the laptops of a batch')
    .action((name: string, flags: Flags) =>
      listing(flags, async (slice) => tokensOf(name, await slice.ask('batch.tokens', { batch: name })).map(tokenRow)),
    );
  onSlice(batch.command('revoke <batch>'))
    .description('Let no laptop of a batch in any more that has not claimed itself yet')
    .option('--serial <serial...>', 'only the laptops with these serial numbers')
    .requiredOption('--why <text>', 'reason, for the audit')
    .option('--yes', 'do not ask for confirmation')
    .action((name: string, flags: RevokeFlags) => carryOut(flags.json === true, () => revoke(name, flags)));
}

async function create(batch: string, flags: CreateFlags): Promise<number> {
  const laptops = await readLaptopList(flags.list);
  const recipient = flags.recipient === undefined ? undefined : await readRecipient(flags.recipient);
  const expiresAt = Date.now() + flags.days * 86_400_000;
  const folder = path.resolve(flags.output);
  return withSlice(flags, async (slice) => {
    await makeBatch({ slice, batch, role: flags.role, laptops, expiresAt, folder, recipient });
    const bound = laptops.filter(({ endorsement }) => endorsement !== null).length;
    printAnswer(
      flags,
      'created',
      { batch, laptops: laptops.length, withTpm: bound, folder, expiresAt: time(expiresAt) },
      [
        `Tokens: ${laptops.length}, in ${folder}, good until ${time(expiresAt).toISOString().slice(0, 10)}.`,
        `Bound to the TPM of their laptop: ${bound}. The others wait for an operator, unless claims.withoutTpm is "accept".`,
        recipient === undefined
          ? 'Who has one of these files can claim a laptop with it: hand them over as you would keys, and delete them.'
          : 'They are sealed for the OEM.',
      ],
    );
    return 0;
  });
}

async function revoke(batch: string, flags: RevokeFlags): Promise<number> {
  return withSlice(flags, async (slice) => {
    const wanted = new Set(flags.serial?.map((serial) => serial.toLowerCase()));
    const tokens = tokensOf(batch, await slice.ask('batch.tokens', { batch })).filter(
      ({ serial, deviceId, revokedAt }) =>
        deviceId === null && revokedAt === null && (wanted.size === 0 || wanted.has(serial.toLowerCase())),
    );
    if (tokens.length === 0) throw new KiwiError('token-unknown', { detail: `none of ${batch} can be revoked` });
    await askConfirmation(`${tokens.length} laptops of ${batch} cannot claim themselves any more.`, batch, flags);
    const { revoked } = await slice.ask('batch.revoke', { tokens: tokens.map(({ id }) => id), why: flags.why });
    printAnswer(flags, 'revoked', { batch, revoked }, [`Revoked: ${revoked} tokens of ${batch}.`]);
    return 0;
  });
}

/** @throws KiwiError `token-unknown` */
function tokensOf(batch: string, tokens: readonly TokenRecord[]): readonly TokenRecord[] {
  if (tokens.length === 0) throw new KiwiError('token-unknown', { detail: batch });
  return tokens;
}

function batchesOf(tokens: readonly TokenRecord[]): Row[] {
  return [...Map.groupBy(tokens, ({ batch }) => batch)].map(([batch, of]) => ({
    batch,
    laptops: of.length,
    claimed: of.filter(({ deviceId }) => deviceId !== null).length,
    revoked: of.filter(({ revokedAt }) => revokedAt !== null).length,
    role: of[0]?.role ?? '',
    created: time(Math.min(...of.map(({ createdAt }) => createdAt))),
    expires: time(Math.max(...of.map(({ expiresAt }) => expiresAt))),
  }));
}

const tokenRow = (token: TokenRecord): Row => ({
  serial: token.serial,
  state: stateOf(token),
  tpm: token.endorsement === null ? 'any' : 'its own',
  model: token.model ?? '',
  expires: time(token.expiresAt),
  ...(token.deviceId === null ? {} : { device: new Id(token.deviceId) }),
  id: new Id(token.id),
});

function stateOf({ deviceId, revokedAt, expiresAt }: TokenRecord): string {
  if (deviceId !== null) return 'claimed';
  if (revokedAt !== null) return 'revoked';
  return expiresAt <= Date.now() ? 'expired' : 'open';
}
