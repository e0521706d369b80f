import { base64url } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { faultPoint } from '../../core/fault-point.ts';
import { makeCsrWith } from '../../pki/csr.ts';
import { CLOCK_WINDOW_MS } from '../../protocol/common.ts';
import { FIRST_CERTIFICATE } from '../../protocol/renewal.ts';
import type { EnrollmentRecord, RecordFile } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { openSliceLine, type SliceLine } from './slice-line.ts';

/** Nobody waits for it: after an outage, a slice may put off thousands of laptops. Shorter than a request stays fresh. */
export const PUT_OFF = { retries: 5, patienceMs: 300_000 };
/** Longer than all that takes, so that it is its error that is reported. */
const PATIENCE_MS = 540_000;

export interface RenewedCertificate {
  readonly number: number;
  readonly notAfter: Date;
}

/**
 * Renews this laptop's certificate. The device key stays, and with it the tunnel.
 *
 * The certificate is replaced by one rename, so it is the old or the new one after a crash, always for the key beside it. The
 * record follows: if only the certificate was written, the laptop says the number before at its next renewal, as after a lost
 * answer.
 *
 * @param options a line that is open already, and how long to wait for a slice that is busy or away
 * @throws KiwiError `not-enrolled`, the slice's refusals, `renewal-invalid`, `gateway-unreachable`
 */
export async function renewCertificate(
  context: LaptopContext,
  file: RecordFile,
  record: EnrollmentRecord,
  options: {
    readonly line?: SliceLine;
    readonly patience?: { readonly retries: number; readonly patienceMs: number };
  } = {},
): Promise<RenewedCertificate> {
  const { platform } = context;
  const { device, slug, customer, role } = record;
  if (device === undefined || record.state !== 'active') throw new KiwiError('not-enrolled');
  const { hostName } = device;
  const held = device.certificate?.number ?? FIRST_CERTIFICATE;
  const line = options.line ?? (await openSliceLine(context, record));
  const { client, hardware } = line;
  const { key } = line.device;
  try {
    const csr = base64url(await makeCsrWith(key.publicKey, key, hostName));
    faultPoint('renewal:before-request');
    const { number, leaf, intermediate, root, renewAfter } = await client.renew(
      line.device,
      { csr, ...(hardware === undefined ? {} : { fingerprint: hardware }) },
      { held, deviceKey: key, slug, hostName, customer, role },
      {
        ...(options.patience ?? PUT_OFF),
        signal: AbortSignal.any([context.signal, AbortSignal.timeout(PATIENCE_MS)]),
      },
    );
    faultPoint('renewal:after-answer');
    const stored = (await platform.certificates.load(slug).catch(() => undefined))?.roots ?? [];
    const trusted = stored.some(({ der }) => der.equals(root.der)) ? stored : [...stored, root];
    await platform.certificates.install(slug, { leaf, intermediate, roots: trusted, gatewayUrl: record.gatewayUrl });
    faultPoint('renewal:after-certificate');
    const { skewMs = 0 } = client;
    const certificate = { number, renewAfter, ...(Math.abs(skewMs) > CLOCK_WINDOW_MS ? { skewMs } : {}) };
    const renewed = { ...device, intermediate: intermediate.pem, certificate };
    await file.save({ ...record, device: renewed });
    faultPoint('renewal:after-record');
    return { number, notAfter: leaf.notAfter };
  } finally {
    if (options.line === undefined) await line.close();
  }
}
