import { base64url, digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { signCompact } from '../../pki/jws.ts';
import { readCertificateHead, type CertificateHead } from '../../pki/issued-certificate.ts';
import { jwkToKey } from '../../pki/keys.ts';
import { LIMITS, PROTOCOL, TYP } from '../../protocol/common.ts';
import { renewal, type Renewal, type Renewed } from '../../protocol/renewal.ts';
import { checkCsr } from '../ca/check-csr.ts';
import { issueDeviceCertificate, renewAfter } from '../ca/issue-device-certificate.ts';
import { decideRenewal, rekeyRule, type RenewalRefusal } from '../decisions/decide-renewal.ts';
import { RateLimit } from '../decisions/rate-limit.ts';
import { Turns } from '../decisions/turns.ts';
import type { Device } from '../registry/registry.ts';
import { auditOf, perSlice, timestampOf, type RequestContext, type SliceContext } from '../slice-context.ts';
import { compareHardware, requireFingerprint } from './compare-hardware.ts';
import { openDeviceMessage } from './open-device-message.ts';

/**
 * How many certificates a device may get in a row, and then how many in an hour. A laptop needs two a day; without a limit,
 * one laptop could keep step-ca busy and fill its database.
 */
const PER_DEVICE = { burst: 20, perSecond: 4 / 3600 };
/**
 * How many devices are renewed at once: more do not make it faster, they only wait longer, without knowing how long. Whoever comes
 * beyond it is told when to come back; that many a second are asked to.
 */
const AT_ONCE = 64;
const COME_BACK_PER_SECOND = 50;

/** What a slice is doing for its devices in this process. */
interface Renewals {
  readonly limit: RateLimit;
  readonly turns: Turns;
  /** One at a time for a device, by its id: each decision needs the outcome of the one before. */
  readonly running: Map<string, Promise<unknown>>;
}
const renewalsOf = perSlice((): Renewals => ({
  limit: new RateLimit(PER_DEVICE),
  turns: new Turns(COME_BACK_PER_SECOND),
  running: new Map(),
}));

/**
 * Answers a request for a new certificate: same key, subject, names and role as at the enrollment. The same bytes get the same
 * certificate again, as long as no later request got one.
 *
 * @throws KiwiError `device-ended`, `device-copied`, `certificate-expired`, `touch-required`, `too-many-requests`, `slice-busy`, `csr-refused`,
 * `ca-unavailable`, and those of `openDeviceMessage`
 */
export async function renewDevice(
  slice: SliceContext,
  deviceId: string,
  body: Buffer,
  request: RequestContext,
): Promise<string> {
  const { device, message } = await openDeviceMessage(
    slice,
    { deviceId, body, typ: TYP.renewal, schema: renewal, maxBytes: LIMITS.renewal },
    request,
  );
  requireFingerprint(message.fingerprint);
  const state = renewalsOf(slice);
  if (state.running.size >= AT_ONCE && !state.running.has(device.id)) {
    throw new KiwiError('slice-busy', { retryAfterMs: state.turns.next(slice.clock.monotonic()) });
  }
  const before = state.running.get(device.id) ?? Promise.resolve();
  const answer = before.catch(() => undefined).then(() => renew(slice, state.limit, device, message, body, request));
  state.running.set(device.id, answer);
  try {
    return await answer;
  } finally {
    if (state.running.get(device.id) === answer) state.running.delete(device.id);
  }
}

async function renew(
  slice: SliceContext,
  limit: RateLimit,
  device: Device,
  message: Renewal,
  body: Buffer,
  request: RequestContext,
): Promise<string> {
  const { registry, config, clock } = slice;
  const requestHash = digest(body);
  const known = await registry.findRenewal(device.id);
  if (known.last?.requestHash === requestHash && known.copiedAt === null && device.state === 'active') {
    const head = readCertificateHead(Buffer.from(known.last.certificate, 'base64url'));
    return answerWith(slice, device, requestHash, known.issued, head);
  }
  const claim = {
    ...{ held: message.held, at: Date.parse(message.timestamp) },
    ...{ now: clock.now(), graceMs: config.windows.offlineDays * 86_400_000 },
    rekey: rekeyRule(slice.identity.replacedAt, config.rekey),
  };
  const decision = decideRenewal(device.state, known, claim);
  if ('refused' in decision) return refuse(slice, device, decision, request);
  await checkCsr(message.csr, jwkToKey(device.deviceKey));
  await compareHardware(slice, device, message.fingerprint, request);
  const retryAfterMs = limit.takeOrWait(device.id, clock.monotonic());
  if (retryAfterMs > 0) throw new KiwiError('too-many-requests', { detail: 'of this device', retryAfterMs });

  const issued = await issueDeviceCertificate(slice.ca, config.customer, device, message.csr);
  const certificate = { serial: issued.serialHex, notAfter: issued.notAfter.getTime(), der: base64url(issued.der) };
  const why = `${device.hostName}, holds ${message.held}, serial ${issued.serialHex}`;
  const stored = await registry.storeRenewal(
    { deviceId: device.id, requestHash, certificate, ...claim },
    auditOf(request, 'allowed', { why }),
  );
  if ('refused' in stored) {
    // The device was ended in the meantime. Nobody received the certificate, but it exists: it is revoked.
    await registry.addUnusedCertificate({ ...certificate, deviceId: device.id });
    return refuse(slice, device, stored, request);
  }
  return answerWith(slice, device, requestHash, stored.number, issued);
}

async function refuse(
  slice: SliceContext,
  device: Device,
  { refused, why, discovered }: RenewalRefusal,
  request: RequestContext,
): Promise<never> {
  if (discovered === true) {
    const text = `${device.hostName} (${device.id}) ${why}: its disk was copied, or restored from a backup`;
    const alarm = auditOf(request, 'alarm', { action: 'device.copied', code: refused, why: text });
    await slice.registry.markCopied(device.id, slice.clock.now(), alarm);
    slice.log.error({ requestId: request.requestId, deviceId: device.id, why: text }, 'clone alarm');
  }
  throw new KiwiError(refused, { detail: why });
}

async function answerWith(
  { identity, clock }: SliceContext,
  device: Device,
  requestHash: string,
  number: number,
  certificate: CertificateHead,
): Promise<string> {
  const content: Renewed = {
    protocol: PROTOCOL,
    deviceId: device.id,
    requestHash,
    serverTime: timestampOf(clock.now()),
    number,
    certificate: {
      chain: [base64url(certificate.der), base64url(identity.intermediate.der)],
      renewAfter: timestampOf(renewAfter(certificate)),
    },
  };
  return signCompact({
    typ: TYP.renewed,
    payload: JSON.stringify(content),
    signer: identity.signer,
    x5c: [identity.grantCertificate.der, identity.intermediate.der],
  });
}
