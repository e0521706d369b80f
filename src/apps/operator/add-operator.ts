import { base64url } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { readStatement } from '../../operator-client/sign-statement.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import { makeCsrWith } from '../../pki/csr.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { operatorSubject } from '../../pki/roles.ts';
import type { OperatorRecord, OperatorRole } from '../../protocol/operator-records.ts';
import { OPERATOR_VERBS, type OperatorSlice } from '../../protocol/operator-verbs.ts';
import { checkDescriptor } from '../../terminal/check-descriptor.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { printAnswer } from '../../terminal/report.ts';
import { generateInSlot, importCertificate, type ManagementKey } from '../../token/provision.ts';
import { openToken, type Token } from '../../token/token.ts';
import { openGiven, type Flags } from './on-slice.ts';
import { signerOf } from './operator-yubikey.ts';
import { chooseYubikey } from './provision-yubikey.ts';

export interface AddFlags extends Flags {
  readonly role: OperatorRole;
  readonly serial?: number;
  readonly managementKeyFd?: number;
  /** For the YubiKey of whoever asks for an approval: `pinFd` is for the new one. */
  readonly approvalPinFd?: number;
}

/** "Digital signature": PIN for every use. */
const SLOT = '9c';

/**
 * `operator add`: makes a YubiKey an operator's. Where two operators have to agree first, the key is in the YubiKey when the command ends, and
 * the same command writes the certificate into it once it was approved.
 */
export async function addOperator(name: string, flags: AddFlags, signal: AbortSignal): Promise<number> {
  const { pinFd, managementKeyFd, approvalPinFd, role, json } = flags;
  if (pinFd !== undefined) checkDescriptor('--pin-fd', pinFd);
  if (managementKeyFd !== undefined) checkDescriptor('--management-key-fd', managementKeyFd);
  if (approvalPinFd !== undefined) checkDescriptor('--approval-pin-fd', approvalPinFd);
  const { pinFd: _new, ...others } = flags;
  const slice = await openGiven({ ...others, ...(approvalPinFd === undefined ? {} : { pinFd: approvalPinFd }) });
  const token = await openToken({ signal });
  try {
    const managementKey: ManagementKey =
      managementKeyFd === undefined ? 'default' : await readPinFromDescriptor(managementKeyFd, signal);
    const serial = await chooseYubikey(token, flags.serial === undefined ? {} : { serial: flags.serial }, signal);
    const known = (await slice.ask('operator.list')).find((one) => one.name === name && one.removedAt === null);
    const operator =
      known !== undefined && known.yubikeySerial === serial
        ? await approved(token, known, signal)
        : await certified({ slice, token, name, role, serial, managementKey, flags, signal });
    const der = Buffer.from(operator.certificate, 'base64url');
    await importCertificate(token, { serial, slot: SLOT, der, managementKey, signal });
    const notAfter = parseCertificate(der).notAfter.toISOString();
    printAnswer({ json }, 'added', { name, role: operator.role, serial, slot: SLOT, notAfter }, [
      `${name} operates the slice as ${operator.role}, with YubiKey ${serial}, until ${notAfter}.`,
    ]);
    return 0;
  } finally {
    await token.close();
    await slice.close();
  }
}

/** Added before, by two operators: only the certificate is missing in the YubiKey. @throws KiwiError `operator-exists` */
async function approved(token: Token, known: OperatorRecord, signal: AbortSignal): Promise<OperatorRecord> {
  const key = await token.slotKey(known.yubikeySerial, SLOT, signal);
  const kid = jwkThumbprint(publicJwk(parseCertificate(key.attestation).publicKey));
  if (kid === known.kid) return known;
  throw new KiwiError('operator-exists', { detail: `${known.name}, with another key in this YubiKey` });
}

/** Another key in the YubiKey would not be the one that is to be approved. @throws KiwiError `approval-asked` */
async function requireNoneWaiting(slice: OperatorSlice, serial: number): Promise<void> {
  const known = OPERATOR_VERBS['operator.add'].arguments;
  const waits = (await slice.ask('approval.list')).find(
    ({ verb, state, statement }) =>
      verb === 'operator.add' &&
      state === 'open' &&
      known.safeParse(readStatement(statement).statement.arguments).data?.serial === serial,
  );
  if (waits === undefined) return;
  throw new KiwiError('approval-asked', {
    detail: `approval ${waits.id}, until ${new Date(waits.expiresAt).toISOString()}`,
    hint: `Another admin signs it: \`kiwistack-operator approval approve ${waits.id}\`. Then run this command again.`,
  });
}

async function certified(input: {
  readonly slice: OperatorSlice;
  readonly token: Token;
  readonly name: string;
  readonly role: OperatorRole;
  readonly serial: number;
  readonly managementKey: ManagementKey;
  readonly flags: AddFlags;
  readonly signal: AbortSignal;
}): Promise<OperatorRecord> {
  const { slice, token, name, role, serial, managementKey, flags, signal } = input;
  // Checked before the key in the slot is overwritten: somebody may be using it.
  const staff = await slice.ask('yubikey.find', { serial });
  if (staff?.burnedAt === null) {
    throw new KiwiError('yubikey-registered', { detail: `serial ${serial} enrolls laptops, as ${staff.role}` });
  }
  const taken = (await slice.ask('operator.list')).find(
    (one) => one.removedAt === null && (one.name === name || one.yubikeySerial === serial),
  );
  if (taken !== undefined) {
    throw new KiwiError('operator-exists', { detail: `${taken.name}, YubiKey ${taken.yubikeySerial}` });
  }
  await requireNoneWaiting(slice, serial);
  if (flags.dryRun === true) throw new KiwiError('rehearsed', { detail: `operator.add ${name}, ${role}, ${serial}` });
  if (flags.json !== true) process.stderr.write(`Generating a key in slot ${SLOT} of YubiKey ${serial} …\n`);
  const policies = { pinPolicy: 'always', touchPolicy: 'always' } as const;
  const key = await generateInSlot(token, { serial, slot: SLOT, ...policies, managementKey, signal });
  const csr = await makeCsrWith(key.publicKey, signerOf(token, key, flags, signal), operatorSubject(name));
  return slice.ask('operator.add', {
    ...{ name, role, serial, slot: SLOT, csr: base64url(csr) },
    ...{ attestation: base64url(key.attestation), attestationIssuer: base64url(key.attestationIssuer) },
  });
}
