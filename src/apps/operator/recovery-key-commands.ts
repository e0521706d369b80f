import type { Command } from 'commander';

import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { parseStrictJson } from '../../core/strict-json.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { recipientOf } from '../../pki/escrow-jwe.ts';
import type { EncryptedVolume } from '../../protocol/disk-escrow.ts';
import { OPERATOR_VERBS, type Result } from '../../protocol/operator-verbs.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, positiveNumber, wholeNumber } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { openToken } from '../../token/token.ts';
import { listing, onList, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { ESCROW_SLOT, openRecoveryKey, recipientKeys, withRecipientKey } from './open-recovery-key.ts';
import { Id } from './table.ts';

const MAX_OUTCOME = 64 * 1024;

type ShowFlags = Flags & { readonly why: string; readonly number?: number };

/** `recovery-key`: what opens the disk of a laptop. */
export function addRecoveryKeyCommands(program: Command): void {
  const noun = program.command('recovery-key').description("Open a laptop's disk with its recovery key");
  onList(noun.command('list'))
    .description('List the recovery keys that the slice has, newest first; none can be read there')
    .option('--device <device>', 'only those of this laptop, by its name or id')
    .action((flags: Flags & { device?: string }) =>
      listing(flags, async (slice) =>
        (await slice.ask('recovery-key.list', flags.device === undefined ? {} : { device: flags.device })).map(
          ({ hostName, generation, volume, receivedAt, usedAt, recipients, deviceId }) => ({
            ...{ device: hostName, number: generation, volume: placeOf(volume), received: time(receivedAt) },
            ...{
              used: usedAt === null ? '' : time(usedAt),
              recipients: recipients.join(' '),
              deviceId: new Id(deviceId),
            },
          }),
        ),
      ),
    );
  onSlice(noun.command('show <device>'))
    .description('Print the recovery key of a laptop, read with your YubiKey; the audit says who and why')
    .requiredOption('--why <text>', 'reason, for the audit')
    .option('--number <number>', 'an earlier one than the newest', positiveNumber)
    .option('--pin-fd <descriptor>', 'read the PIN from this open descriptor instead of the terminal', wholeNumber)
    .addHelpText(
      'after',
      `
The slice has it encrypted to the recipients of its slice.json. Plug in the YubiKey with one of them in slot ${ESCROW_SLOT}. From then on the
recovery key counts as used, and the laptop makes another one within an hour of its next connection.

Where two operators are needed, sign it with --ask-approval; the admin who approves it saves the outcome and opens it:
  kiwistack-operator approval approve 3f0c1e5a --json > outcome.json
  kiwistack-operator recovery-key open outcome.json

Example:
  kiwistack-operator recovery-key show anna-laptop --why "forgot the PIN, ticket 4711"`,
    )
    .action((device: string, flags: ShowFlags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const signal = cancelOnSignals();
          // Before it counts as used: whether it can be read at all.
          const listed = await slice.ask('recovery-key.list', { device });
          const one = listed.find(({ generation }) => flags.number === undefined || generation === flags.number);
          if (one === undefined) throw new KiwiError('recovery-key-unknown', { detail: device });
          await withRecipientKey(one.recipients, signal, () => Promise.resolve());
          const { generation } = one;
          const kept = await slice.ask('recovery-key.show', { device: one.deviceId, generation, why: flags.why });
          return print(kept, flags, signal);
        }),
      ),
    );
  noun
    .command('open <file>')
    .description('Print a recovery key that another operator asked for and you have approved, read with your YubiKey')
    .option('--pin-fd <descriptor>', 'read the PIN from this open descriptor instead of the terminal', wholeNumber)
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((file: string, flags: Flags) =>
      carryOut(flags.json === true, async () => print(await readOutcome(file), flags, cancelOnSignals())),
    );
  noun
    .command('recipient')
    .description(`Print the key in slot ${ESCROW_SLOT} of each YubiKey as slice.json wants its recipients`)
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .addHelpText(
      'after',
      `
The key has to be made in the YubiKey, which vouches for it then, P-256 or RSA:
  ykman piv keys generate --algorithm ECCP256 --pin-policy ONCE --touch-policy ALWAYS ${ESCROW_SLOT} public.pem

Example:
  kiwistack-operator recovery-key recipient`,
    )
    .action((flags: Flags) => carryOut(flags.json === true, () => printRecipients(flags)));
}

async function print(kept: Result<'recovery-key.show'>, flags: Flags, signal: AbortSignal): Promise<number> {
  const { key } = await openRecoveryKey(kept, flags, signal);
  const { escrow: _, ...record } = kept;
  printAnswer(flags, 'recovery-key', { ...record, key }, [
    `Recovery key ${kept.generation} of ${kept.hostName}, ${placeOf(kept.volume)}:`,
    key,
  ]);
  return 0;
}

/** @throws KiwiError `file-unusable` */
async function readOutcome(file: string): Promise<Result<'recovery-key.show'>> {
  const bytes = await readGivenFile(file, { maxBytes: MAX_OUTCOME });
  try {
    const { outcome } = parseStrictJson(bytes, MAX_OUTCOME) as { readonly outcome?: unknown };
    return OPERATOR_VERBS['recovery-key.show'].result.parse(outcome);
  } catch (cause) {
    const detail = `${file} is not the outcome of an approved \`recovery-key show\``;
    throw new KiwiError('file-unusable', { detail, cause });
  }
}

async function printRecipients(flags: Flags): Promise<number> {
  const signal = cancelOnSignals();
  const token = await openToken({ signal });
  try {
    const recipients = (await recipientKeys(token, signal)).map(({ key, thumbprint }) => ({
      ...{ serial: key.serial, thumbprint },
      entry: { name: `YubiKey ${key.serial}`, key: recipientOf(parseCertificate(key.attestation).publicKey) },
    }));
    if (recipients.length === 0) {
      throw new KiwiError('escrow-key-refused', {
        detail: `no key that was made in the YubiKey in slot ${ESCROW_SLOT}`,
      });
    }
    printAnswer(
      flags,
      'recipients',
      { recipients },
      recipients.map(({ entry }) => JSON.stringify(entry)),
    );
    return 0;
  } finally {
    await token.close();
  }
}

const placeOf = (volume: EncryptedVolume): string => `${volume.kind} ${volume.uuid}`;
