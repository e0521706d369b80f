import { createCipheriv, createDecipheriv, randomBytes, timingSafeEqual } from 'node:crypto';
import { firmwareAtLeast } from '../key/state.ts';
import type { Command } from '../wire/apdu.ts';
import { StatusWordError, SW } from '../wire/status-word.ts';
import { encodeTlv, findTlv, parseTlvs, type Tlv } from '../wire/tlv.ts';
import { requireManagementKey, requireTouch } from './access.ts';
import { ALGORITHM, managementCipher, type ManagementCipher } from './algorithms.ts';
import type { PivContext } from './context.ts';
import { TOUCH_POLICY } from './policies.ts';
import { MANAGEMENT_SLOT } from './slots.ts';

const WITNESS = 0x80;
const CHALLENGE = 0x81;
const RESPONSE = 0x82;

/**
 * The two steps of slot 9B. Mutual: the card hides a witness (80), the client shows it and sends a challenge (81), the
 * card answers it (82). Single: the card gives a challenge (81), the client answers it (82).
 */
export async function authenticateManagementKey(
  context: PivContext,
  algorithm: number,
  tlvs: readonly Tlv[],
): Promise<Buffer> {
  const { session, state } = context;
  const cipher = managementCipher(algorithm);
  if (!cipher || algorithm !== state.managementKey.algorithm) throw new StatusWordError(SW.badData);
  const pending = session.pendingAuthentication;
  session.pendingAuthentication = undefined;
  const [witness, challenge, response] = [WITNESS, CHALLENGE, RESPONSE].map((tag) => findTlv(tlvs, tag));

  if (witness?.length === 0) {
    session.pendingAuthentication = { kind: 'witness', bytes: randomBytes(cipher.blockLength) };
    return encodeTlv(0x7c, encodeTlv(WITNESS, encrypt(context, cipher, session.pendingAuthentication.bytes)));
  }
  if (challenge?.length === 0) {
    session.pendingAuthentication = { kind: 'challenge', bytes: randomBytes(cipher.blockLength) };
    return encodeTlv(0x7c, encodeTlv(CHALLENGE, session.pendingAuthentication.bytes));
  }
  session.managementVerified = false;
  if (pending?.kind === 'witness' && witness && challenge) {
    if (challenge.length !== cipher.blockLength) throw new StatusWordError(SW.badData);
    await accept(context, witness, pending.bytes);
    return encodeTlv(0x7c, encodeTlv(RESPONSE, encrypt(context, cipher, challenge)));
  }
  if (pending?.kind === 'challenge' && response) {
    if (response.length !== cipher.blockLength) throw new StatusWordError(SW.securityNotSatisfied);
    await accept(context, decrypt(context, cipher, response), pending.bytes);
    return Buffer.alloc(0);
  }
  throw new StatusWordError(SW.badData);
}

/** INS FF: sets the management key; P2 = FE asks for a touch each time it is used, FD for a cached one. */
export function setManagementKey(context: PivContext, command: Command): Buffer {
  requireManagementKey(context);
  const touchPolicy = new Map<number, number>([
    [0xff, TOUCH_POLICY.never],
    [0xfe, TOUCH_POLICY.always],
    [0xfd, TOUCH_POLICY.cached],
  ]).get(command.p2);
  if (command.p1 !== 0xff || touchPolicy === undefined) throw new StatusWordError(SW.wrongParameters);
  const algorithm = command.data[0] ?? 0;
  const cipher = managementCipher(algorithm);
  const key = findTlv(parseTlvs(command.data.subarray(1)), MANAGEMENT_SLOT);
  const { state } = context;
  const aesRefused = algorithm !== ALGORITHM.tripleDes && !firmwareAtLeast(state, [5, 4, 2]);
  const desRefused = algorithm === ALGORITHM.tripleDes && state.fips && firmwareAtLeast(state, [5, 7, 0]);
  if (!cipher || aesRefused || desRefused || key?.length !== cipher.keyLength) throw new StatusWordError(SW.badData);
  state.managementKey = { algorithm, key: key.toString('hex'), touchPolicy };
  context.save();
  return Buffer.alloc(0);
}

async function accept(context: PivContext, shown: Buffer, expected: Buffer): Promise<void> {
  if (shown.length !== expected.length || !timingSafeEqual(shown, expected)) {
    throw new StatusWordError(SW.securityNotSatisfied);
  }
  await requireTouch(context, context.state.managementKey.touchPolicy);
  context.session.managementVerified = true;
}

function encrypt(context: PivContext, cipher: ManagementCipher, block: Buffer): Buffer {
  const operation = createCipheriv(cipher.name, Buffer.from(context.state.managementKey.key, 'hex'), null);
  return operation.setAutoPadding(false).update(block);
}

function decrypt(context: PivContext, cipher: ManagementCipher, block: Buffer): Buffer {
  const operation = createDecipheriv(cipher.name, Buffer.from(context.state.managementKey.key, 'hex'), null);
  return operation.setAutoPadding(false).update(block);
}
