import { base64url } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { AttestationError, verifyAttestation, type YubikeyAttestation } from '../../pki/attestation.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { makeCsrWith } from '../../pki/csr.ts';
import type { YubikeyRecord } from '../../protocol/operator-records.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { firmwareFlaw, requireNoOperators } from '../../slice/operator/open-slice.ts';
import { generateInSlot, importCertificate, type GeneratedKey, type ManagementKey } from '../../token/provision.ts';
import type { PinState, Token } from '../../token/token.ts';

/** The slot for enrollment keys: "digital signature", PIN for every use. */
const SLOT = '9c';

export interface ProvisionRequest {
  readonly slice: OperatorSlice;
  readonly token: Token;
  readonly role: string;
  /** Which YubiKey, when several are plugged in. */
  readonly serial?: number;
  /** Never this one. */
  readonly notSerial?: number;
  /** Take a burned YubiKey back, with a new key. */
  readonly reinstate: boolean;
  /** Only one of the FIPS series. */
  readonly fips?: boolean;
  readonly managementKey: ManagementKey;
  /** Called again with the reason when a PIN was refused. */
  readonly askPin: (key: { serial: number; state: PinState; refused?: KiwiError | undefined }) => Promise<SecretBytes>;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Prepares a YubiKey for a member of staff: generates a key inside it (PIN and touch for every use), verifies its attestation,
 * has step-ca issue a certificate, writes it into the slot and registers serial and slot. Registration comes last: a failure
 * before it leaves a key that the slice does not know.
 *
 * @throws KiwiError `yubikey-registered`, `yubikey-burned`, `operator-exists`, `attestation-refused`, `ca-unavailable` and those of the token
 */
export async function provisionYubikey(
  request: ProvisionRequest,
): Promise<{ serial: number; slot: string; role: string; notAfter: string; firmware: string; fips: boolean }> {
  const { slice, token, role, managementKey, progress, signal } = request;
  const about = await slice.ask('slice.about');
  const serial = await chooseYubikey(token, request, signal);
  // Checked before the key in the slot is overwritten: somebody may be using it.
  checkRegistration(await slice.ask('yubikey.find', { serial }), serial, request);
  requireNoOperators(await slice.ask('operator.list'), serial);
  progress(`Generating a key in slot ${SLOT} of YubiKey ${serial} …`);
  const key = await generateInSlot(token, {
    serial,
    slot: SLOT,
    pinPolicy: 'always',
    touchPolicy: 'always',
    managementKey,
    signal,
  });
  const { firmware, fips } = checkAttestation(
    key,
    about.yubicoRoots.map((der) => parseCertificate(Buffer.from(der, 'base64url'))),
  );
  if (request.fips === true && !fips) throw new KiwiError('key-not-fips', { detail: `serial ${serial}` });
  const old = firmwareFlaw(firmware, about.firmware.minimum);
  if (old !== undefined && about.firmware.older === 'refuse') throw new KiwiError('policy-refused', { detail: old });
  if (old !== undefined) progress(`Warning: ${old}: its key could be extracted by whoever opens it (EUCLEAK).`);
  const signer = {
    alg: key.algorithm,
    sign: (data: Uint8Array) =>
      token.sign(key, data, {
        askPin: (state, refused) => request.askPin({ serial, state, refused }),
        onTouchExpected: () => {
          progress('TOUCH the YubiKey now: its light is blinking.');
        },
        signal,
      }),
  };
  const csr = await makeCsrWith(key.publicKey, signer, `KiwiStack enrollment ${serial}`);
  progress('Requesting its certificate …');
  const issued = await slice.ask('yubikey.certify', { csr: base64url(csr), serial, slot: SLOT, role });
  const certificate = parseCertificate(Buffer.from(issued.certificate, 'base64url'));
  await importCertificate(token, { serial, slot: SLOT, der: certificate.der, managementKey, signal });
  await slice.ask('yubikey.register', {
    ...{ serial, slot: SLOT, role, certificate: issued.certificate },
    reinstate: request.reinstate,
  });
  return { serial, slot: SLOT, role, notAfter: certificate.notAfter.toISOString(), firmware, fips };
}

function checkRegistration(known: YubikeyRecord | null, serial: number, request: ProvisionRequest): void {
  if (known === null) return;
  if (known.burnedAt === null) throw new KiwiError('yubikey-registered', { detail: `serial ${serial}` });
  const burned = `burned ${new Date(known.burnedAt).toISOString()}: ${known.burnedWhy ?? ''}`;
  if (!request.reinstate) {
    throw new KiwiError('yubikey-burned', {
      detail: `serial ${serial}, ${burned}`,
      hint: 'If it was found and you trust it again, use --reinstate: it gets a new key and certificate, and may enroll laptops again.',
    });
  }
  request.progress(`YubiKey ${serial} was ${burned}. It gets a new key; the old one stays blocked.`);
}

export async function chooseYubikey(
  token: Token,
  { serial: wanted, notSerial }: Pick<ProvisionRequest, 'serial' | 'notSerial'>,
  signal: AbortSignal,
): Promise<number> {
  const plugged = (await token.list(signal)).filter(({ serial }) => serial !== notSerial);
  const fitting = wanted === undefined ? plugged : plugged.filter(({ serial }) => serial === wanted);
  const [only] = fitting;
  if (only === undefined) {
    if (wanted === undefined || plugged.length === 0) throw new KiwiError('key-absent');
    const there = plugged.map(({ serial }) => serial).join(', ');
    throw new KiwiError('key-other', { detail: `serial ${wanted} was asked for; plugged in: ${there}` });
  }
  if (fitting.length > 1) {
    throw new KiwiError('key-several', { detail: `serials ${fitting.map(({ serial }) => serial).join(', ')}` });
  }
  return only.serial;
}

/** Makes sure that the key is genuine and the one just generated: the slice checks the same at every enrollment. */
function checkAttestation(key: GeneratedKey, roots: readonly Certificate[]): YubikeyAttestation {
  try {
    const attested = verifyAttestation({
      attestation: parseCertificate(key.attestation),
      issuer: parseCertificate(key.attestationIssuer),
      roots,
    });
    if (attested.serial === key.serial && attested.slot === key.slot) return attested;
  } catch (error) {
    if (!(error instanceof AttestationError)) throw error;
    throw new KiwiError('attestation-refused', { detail: error.message, cause: error });
  }
  throw new KiwiError('attestation-refused', { detail: 'it names another serial number or slot' });
}
