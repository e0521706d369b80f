import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { readEscrowHeader, recipientThumbprint } from '../../pki/escrow-jwe.ts';
import { JoseError, signCompact } from '../../pki/jws.ts';
import { LIMITS, PROTOCOL, TYP } from '../../protocol/common.ts';
import {
  recoveryKeyMessage,
  type EscrowReceipt,
  type EscrowRecipient,
  type RecoveryKeyMessage,
} from '../../protocol/disk-escrow.ts';
import { auditOf, timestampOf, type RequestContext, type SliceContext } from '../slice-context.ts';
import { limitOfDevice } from './limit-of-device.ts';
import { openDeviceMessage } from './open-device-message.ts';

/**
 * How many of a device are kept. Until its laptop has removed an old one from the disk, that one opens it too; and a disk may be put back
 * from a backup.
 */
const KEEP = 3;
/** A laptop makes one in its life, and one after each use. */
const PER_DEVICE = { burst: 10, perSecond: 4 / 3600 };
const takeTurn = limitOfDevice(PER_DEVICE);

/**
 * Keeps the recovery key of a laptop's disk, which only the customer's recipients can read. The receipt is signed when it is on the disk:
 * by it the laptop knows that it may remove what opened the disk before. Safe to repeat.
 *
 * @throws KiwiError `device-ended`, `device-unknown`, `escrow-refused`, `too-many-requests`, and those of `openDeviceMessage`
 */
export async function keepRecoveryKey(
  slice: SliceContext,
  deviceId: string,
  body: Buffer,
  request: RequestContext,
): Promise<string> {
  const { registry, config, clock } = slice;
  const { device, message } = await openDeviceMessage(
    slice,
    { deviceId, body, typ: TYP.recoveryKey, schema: recoveryKeyMessage, maxBytes: LIMITS.recoveryKey },
    request,
  );
  const { generation, volume, escrow } = message;
  const recipients = escrow.map((jwe) => recipientIn(jwe));
  if (device.state === 'ended') throw new KiwiError('device-ended', { detail: device.endReason ?? 'ended' });
  // As for a renewal: what is not confirmed may be gone in a minute.
  if (device.state !== 'active') throw new KiwiError('device-unknown', { detail: 'not confirmed yet' });
  requireRecipients(recipients, config.recoveryKey?.recipients.map(({ key }) => key) ?? []);
  takeTurn(slice, device.id);
  const why = `${device.hostName}: recovery key ${generation} of ${volume.kind} ${volume.uuid}`;
  const stored = await registry.storeRecoveryKey(
    { deviceId: device.id, generation, volume, escrow, receivedAt: clock.now() },
    KEEP,
    auditOf(request, 'allowed', { why }),
  );
  if (stored === 'older') throw new KiwiError('escrow-refused', { detail: `generation ${generation} is not the next` });
  return receiptFor(slice, body, message);
}

function receiptFor({ identity, clock }: SliceContext, body: Buffer, message: RecoveryKeyMessage): Promise<string> {
  const { deviceId, generation, volume, escrow } = message;
  const content: EscrowReceipt = {
    ...{ protocol: PROTOCOL, deviceId, requestHash: digest(body), serverTime: timestampOf(clock.now()) },
    ...{ generation, volume, escrowHashes: escrow.map((jwe) => digest(jwe)) },
  };
  return signCompact({
    typ: TYP.escrowReceipt,
    payload: JSON.stringify(content),
    signer: identity.signer,
    x5c: [identity.grantCertificate.der, identity.intermediate.der],
  });
}

/** All that can be seen of what is encrypted to others. @throws KiwiError `request-malformed` */
function recipientIn(jwe: string): { kid: string; alg: string } {
  try {
    return readEscrowHeader(jwe, TYP.escrow);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('request-malformed', { detail: `escrow: ${error.message}`, cause: error });
  }
}

function requireRecipients(
  given: readonly { readonly kid: string; readonly alg: string }[],
  wanted: readonly EscrowRecipient[],
): void {
  const fits = wanted.every((recipient, at) => {
    const alg = recipient.kty === 'EC' ? 'ECDH-ES' : 'RSA-OAEP-256';
    return given[at]?.kid === recipientThumbprint(recipient) && given[at].alg === alg;
  });
  if (wanted.length === 0) throw new KiwiError('escrow-refused', { detail: 'the slice has no recipients' });
  if (!fits || given.length !== wanted.length)
    throw new KiwiError('escrow-refused', { detail: 'for other recipients' });
}
