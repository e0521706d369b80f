import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { Command } from 'commander';

import { systemClock, type Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { AttestationError, verifyAttestation } from '../../pki/attestation.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { reissueOperators } from '../../slice/operator/reissue-operator.ts';
import { reissueYubikeys } from '../../slice/operator/reissue-yubikey.ts';
import type { Reissue, ReissuedKey } from '../../slice/operator/reissue.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut, wholeNumber } from '../../terminal/carry-out.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { printAnswer } from '../../terminal/report.ts';
import { importCertificate } from '../../token/provision.ts';
import { openToken, type PivSlot, type Token } from '../../token/token.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { onSlice, type Flags } from './on-slice.ts';

interface ReissueFlags extends Flags {
  readonly serial?: number;
  readonly out?: string;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly managementKeyFd?: number;
}

/** Whose keys: those that enroll laptops, or those of operators. */
interface Kind {
  readonly open: (dir: string, clock: Clock) => Promise<Reissue>;
  readonly description: string;
  /**
   * Whether a person has to say yes to each. Who can write to the registry, and has stolen the intermediate's key, may have put an operator
   * of his own there.
   */
  readonly asks: boolean;
}

const KINDS: Readonly<Record<'yubikey' | 'operator', Kind>> = {
  yubikey: {
    open: reissueYubikeys,
    description:
      'Give a registered YubiKey that is plugged in a new certificate, without PIN and touch: after the intermediate was replaced, or before it ends',
    asks: false,
  },
  operator: {
    open: reissueOperators,
    description:
      "Give the plugged-in YubiKey of an operator a new certificate, with the same key, name and role: after the intermediate was replaced, or before it ends; on the slice's machine",
    asks: true,
  },
};

/** `yubikey reissue` and `operator reissue`: new certificates for the keys that are registered. */
export function addReissueCommand(noun: Command, kind: keyof typeof KINDS): void {
  const { description, asks } = KINDS[kind];
  const command = onSlice(noun.command('reissue'))
    .description(description)
    .option('--serial <number>', 'serial number of the YubiKey, if several are plugged in', wholeNumber)
    .option(
      '--management-key-fd <descriptor>',
      'read the management key (hex) from this open descriptor; default: the factory key',
      wholeNumber,
    )
    .option('--out <folder>', 'instead, for keys that are elsewhere: write the certificates that are needed to files')
    .option('--all', 'with --out: also for keys whose certificate still counts');
  if (asks) command.option('--yes', 'do not ask for confirmation');
  command.action((flags: ReissueFlags) =>
    carryOut(flags.json === true, () => reissueCommand(KINDS[kind], flags, cancelOnSignals())),
  );
}

async function reissueCommand(kind: Kind, flags: ReissueFlags, signal: AbortSignal): Promise<number> {
  if (flags.dir === undefined)
    throw new KiwiError('usage', { detail: '--dir: this is done on the machine of the slice' });
  const reissue = await kind.open(path.resolve(flags.dir), systemClock);
  const confirm = async (keys: readonly ReissuedKey[]): Promise<void> => {
    const [first, ...more] = keys;
    if (!kind.asks || first === undefined) return;
    const list = keys.map(({ about }) => `  ${about}\n`).join('');
    await askConfirmation(`A new certificate for:\n${list}`, more.length > 0 ? reissue.slug : first.name, flags);
  };
  try {
    return await (flags.out === undefined
      ? intoYubikey(reissue, confirm, flags, signal)
      : intoFiles(reissue, confirm, flags, flags.out));
  } finally {
    reissue.close();
  }
}

type Confirm = (keys: readonly ReissuedKey[]) => Promise<void>;

/** The attestation proves that the key in hand is the registered one; writing a certificate needs the management key alone. */
async function intoYubikey(
  reissue: Reissue,
  confirm: Confirm,
  flags: ReissueFlags,
  signal: AbortSignal,
): Promise<number> {
  const { managementKeyFd } = flags;
  const managementKey =
    managementKeyFd === undefined ? 'default' : await readPinFromDescriptor(managementKeyFd, signal);
  const token = await openToken({ signal });
  try {
    const known = await registeredInHand(reissue, token, flags.serial, signal);
    const { serial, slot, name } = known;
    const key = await token.slotKey(serial, slot as PivSlot, signal);
    const attestation = parseCertificate(key.attestation);
    const issuer = parseCertificate(key.attestationIssuer);
    verifyAttestation({ attestation, issuer, roots: reissue.identity.yubicoRoots });
    await confirm([known]);
    const certificate = await reissue.certify(serial, { inHand: attestation.spki });
    await importCertificate(token, { serial, slot: slot as PivSlot, der: certificate.der, managementKey, signal });
    const until = certificate.notAfter.toISOString();
    const whose = name === `${serial}` ? `YubiKey ${serial}` : `${name}, YubiKey ${serial},`;
    printAnswer(flags, 'reissued', { serial, name, until, certificate: certificate.serialHex }, [
      `${whose} has a new certificate, valid until ${until}. Key and PIN are as before.`,
      ...remaining(reissue, [serial]),
    ]);
    return 0;
  } catch (error) {
    if (!(error instanceof AttestationError)) throw error;
    throw new KiwiError('attestation-refused', { detail: error.message, cause: error });
  } finally {
    await token.close();
  }
}

async function registeredInHand(
  { keys }: Reissue,
  token: Token,
  wanted: number | undefined,
  signal: AbortSignal,
): Promise<ReissuedKey> {
  const plugged = (await token.list(signal)).filter(({ serial }) => serial === (wanted ?? serial));
  if (plugged.length === 0) throw new KiwiError('key-absent');
  const known = keys.filter(({ serial }) => plugged.some((each) => each.serial === serial));
  const [only, ...more] = known;
  const serials = plugged.map(({ serial }) => serial).join(', ');
  if (only === undefined) throw new KiwiError('yubikey-unregistered', { detail: `plugged in: ${serials}` });
  if (more.length > 0) throw new KiwiError('key-several', { detail: `serials ${serials}` });
  return only;
}

async function intoFiles(reissue: Reissue, confirm: Confirm, flags: ReissueFlags, folder: string): Promise<number> {
  const wanted = reissue.keys.filter(({ serial, certified }) =>
    flags.serial === undefined ? flags.all === true || !certified : serial === flags.serial,
  );
  await confirm(wanted);
  await mkdir(folder, { recursive: true });
  const written = [];
  for (const { serial, slot, name } of wanted) {
    const certificate = await reissue.certify(serial, 'written');
    const file = path.join(path.resolve(folder), `${name}.pem`);
    await writeDurableFile(file, certificate.pem, 0o644);
    written.push({ serial, slot, name, file, until: certificate.notAfter.toISOString() });
  }
  printAnswer(flags, 'written', { written }, [
    `Wrote ${written.length} certificates to ${folder}. They hold nothing secret, and serve nobody without the key.`,
    ...written.map(({ serial, slot, file }) => `  ykman --device ${serial} piv certificates import ${slot} ${file}`),
  ]);
  return 0;
}

function remaining({ keys }: Reissue, done: readonly number[]): string[] {
  const left = keys.filter(({ serial, certified }) => !certified && !done.includes(serial));
  return left.length === 0 ? [] : [`Still to do: ${left.map(({ name }) => name).join(', ')}.`];
}
