import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

import { base64url, digest } from '../../src/core/bytes.ts';
import { encryptToRecipient, openEscrow, recipientOf, recipientThumbprint } from '../../src/pki/escrow-jwe.ts';
import { PROTOCOL, TYP } from '../../src/protocol/common.ts';
import {
  escrowContent,
  escrowReceipt,
  recoveryKeyMessage,
  type EscrowContent,
  type EscrowReceipt,
  type RecoveryKeyMessage,
} from '../../src/protocol/disk-escrow.ts';
import { escrowOpener } from '../fakes/escrow-opener.ts';
import {
  chain,
  changed,
  kidOf,
  makeRefused,
  sign,
  withAlteredSignature,
  withMemberTwice,
  withoutAlgorithm,
  withSegment,
  withUnknownMember,
  withUpperS,
  type Recipe,
} from './bend.ts';
import { textAt } from './keep.ts';
import { afterRenewal, DEVICE_ID, OTHER_ID, RENEWED_AT, type Certificates } from './make-certificates.ts';
import { compactParts, fixed, type Previous } from './make-exchange.ts';
import { testKey } from './test-keys.ts';

const VOLUME = { kind: 'luks2', uuid: '6f4b1d0a-2c3e-4a5b-8c7d-9e0f1a2b3c4d', slot: 1 } as const;
/** 32 bytes of 0x00 to 0x1f. */
const KEY = 'cccbcdce-cfcgchci-cjckclcn-crctcucv-bcbbbdbe-bfbgbhbi-bjbkblbn-brbtbubv';

/** The recovery key of the example's device, at the time of its renewal, for a P-256 and an RSA key of its customer. */
export async function makeRecoveryKey(c: Certificates, previous: Previous) {
  const before = previous('recovery-key');
  const keptRsa = textAt(before, 'recipients', 1, 'pkcs8');
  const rsa =
    keptRsa === '' ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey : createPrivateKey(keptRsa);
  const recipients = [testKey('escrow'), rsa];
  const content: EscrowContent = { protocol: PROTOCOL, deviceId: DEVICE_ID, generation: 1, volume: VOLUME, key: KEY };
  const plaintext = JSON.stringify(escrowContent.parse(content));
  const escrow: string[] = [];
  for (const [at, key] of recipients.entries()) {
    escrow.push(await keepEscrow(key, plaintext, textAt(before, 'recipients', at, 'jwe')));
  }
  const asked: RecoveryKeyMessage = {
    ...{ protocol: PROTOCOL, deviceId: DEVICE_ID, generation: 1, volume: VOLUME, escrow },
    ...{ nonce: base64url(fixed('recovery key nonce').subarray(0, 16)), timestamp: RENEWED_AT.toISOString() },
  };
  const device = testKey('device');
  const payload = JSON.stringify(recoveryKeyMessage.parse(asked));
  const jws = await sign({ typ: TYP.recoveryKey, payload, key: device, kid: kidOf(device) }, textAt(before, 'jws'));
  const given: EscrowReceipt = {
    ...{ protocol: PROTOCOL, deviceId: DEVICE_ID, requestHash: digest(jws), serverTime: RENEWED_AT.toISOString() },
    ...{ generation: 1, volume: VOLUME, escrowHashes: escrow.map((jwe) => digest(jwe)) },
  };
  const answer = JSON.stringify(escrowReceipt.parse(given));
  const answered = await sign(
    { typ: TYP.escrowReceipt, payload: answer, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) },
    textAt(previous('escrow-receipt'), 'jws'),
  );
  return {
    'recovery-key': {
      recipients: recipients.map((key, at) => ({
        jwk: recipientOf(key),
        thumbprint: recipientThumbprint(recipientOf(key)),
        pkcs8: key.export({ type: 'pkcs8', format: 'pem' }),
        jwe: escrow[at],
      })),
      content: plaintext,
      ...compactParts(jws, payload, 'device'),
    },
    'escrow-receipt': { request: 'recovery-key.json', ...compactParts(answered, answer) },
  };
}

/** What the gateway refuses when a laptop sends the recovery key of its disk. */
export function makeRefusedRecoveryKeys(recoveryKey: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(recoveryKey, 'payload'), textAt(recoveryKey, 'jws')];
  const [device, other] = [testKey('device'), testKey('gateway')];
  const honest = { typ: TYP.recoveryKey, key: device, kid: kidOf(device), payload };
  const { escrow } = JSON.parse(payload) as RecoveryKeyMessage;
  const [first = '', second = ''] = escrow;
  const saying = (members: object) => (kept: string) => sign({ ...honest, payload: changed(payload, members) }, kept);
  const headed = (header: object): string => {
    const [, ...rest] = first.split('.');
    return [base64url(Buffer.from(JSON.stringify(header))), ...rest].join('.');
  };
  const head = JSON.parse(Buffer.from(first.split('.')[0] ?? '', 'base64url').toString()) as object;
  const recipes: Recipe[] = [
    ['typ of a status request', 'request-malformed', (kept) => sign({ ...honest, typ: TYP.status }, kept)],
    ['alg none, without signature', 'request-malformed', () => withoutAlgorithm(jws)],
    ['signature altered', 'device-signature-refused', () => withSegment(jws, 2, withAlteredSignature)],
    ['signature with s in the upper half', 'device-signature-refused', () => withSegment(jws, 2, withUpperS)],
    ['by another key', 'device-signature-refused', (kept) => sign({ ...honest, key: other, kid: kidOf(other) }, kept)],
    ['unknown member', 'request-malformed', (kept) => sign({ ...honest, payload: withUnknownMember(payload) }, kept)],
    ['member twice', 'request-malformed', (kept) => sign({ ...honest, payload: withMemberTwice(payload) }, kept)],
    ['for another device', 'request-malformed', saying({ deviceId: OTHER_ID })],
    ['eleven minutes old', 'clock-skew', saying({ timestamp: afterRenewal(-11) })],
    ['number 0', 'request-malformed', saying({ generation: 0 })],
    ['slot 32', 'request-malformed', saying({ volume: { ...VOLUME, slot: 32 } })],
    ['volume of a kind that there is not', 'request-malformed', saying({ volume: { ...VOLUME, kind: 'luks1' } })],
    ['volume with an unknown member', 'request-malformed', saying({ volume: { ...VOLUME, label: 'root' } })],
    ['without a JWE', 'request-malformed', saying({ escrow: [] })],
    ['JWE of four segments', 'request-malformed', saying({ escrow: [first.slice(0, first.lastIndexOf('.')), second] })],
    ['JWE that is not canonical base64url', 'request-malformed', saying({ escrow: [`${first}=`, second] })],
    ['JWE without kid', 'request-malformed', saying({ escrow: [headed({ ...head, kid: undefined }), second] })],
    ['JWE with another algorithm', 'request-malformed', saying({ escrow: [headed({ ...head, alg: 'dir' }), second] })],
    [
      'JWE with the typ of a grant',
      'request-malformed',
      saying({ escrow: [headed({ ...head, typ: TYP.grantEncrypted }), second] }),
    ],
    ['for one of two recipients', 'escrow-refused', saying({ escrow: [first] })],
    ['for the recipients in another order', 'escrow-refused', saying({ escrow: [second, first] })],
    [
      'for another recipient',
      'escrow-refused',
      saying({ escrow: [headed({ ...head, kid: digest('another recipient') }), second] }),
    ],
  ];
  return makeRefused(
    'Each is recovery-key.json bent in one way. The gateway of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** What the laptop refuses in answer to it: nothing that opens its disk is removed. */
export function makeRefusedReceipts(c: Certificates, receipt: object, previous: unknown): Promise<object> {
  const [payload, jws] = [textAt(receipt, 'payload'), textAt(receipt, 'jws')];
  const gateway = { typ: TYP.escrowReceipt, key: testKey('gateway'), ...chain(c.gateway, c.intermediate) };
  const saying = (members: object) => (kept: string) => sign({ ...gateway, payload: changed(payload, members) }, kept);
  const { escrowHashes } = JSON.parse(payload) as EscrowReceipt;
  const refused = 'slice-not-proven';
  const recipes: Recipe[] = [
    ['typ of a device status', refused, (kept) => sign({ ...gateway, payload, typ: TYP.deviceStatus }, kept)],
    ['alg none, without signature', refused, () => withoutAlgorithm(jws)],
    ['signature altered', refused, () => withSegment(jws, 2, withAlteredSignature)],
    [
      'signed with a device certificate',
      refused,
      (kept) => sign({ ...gateway, payload, key: testKey('device'), ...chain(c.renewedDevice, c.intermediate) }, kept),
    ],
    [
      'chain to another root',
      'slice-root-unknown',
      (kept) => sign({ ...gateway, payload, ...chain(c.gateway, c.otherIntermediate) }, kept),
    ],
    ['for another request', refused, saying({ requestHash: digest('another request') })],
    ['for another device', refused, saying({ deviceId: OTHER_ID })],
    ['of a clock eleven minutes behind', 'clock-skew', saying({ serverTime: afterRenewal(-11) })],
    ['unknown member', refused, (kept) => sign({ ...gateway, payload: withUnknownMember(payload) }, kept)],
    ['of another generation', refused, saying({ generation: 2 })],
    ['of another slot', refused, saying({ volume: { ...VOLUME, slot: 2 } })],
    ['of another volume', refused, saying({ volume: { ...VOLUME, uuid: OTHER_ID } })],
    ['for other bytes', refused, saying({ escrowHashes: [digest('other bytes'), ...escrowHashes.slice(1)] })],
    ['for one of two recipients', refused, saying({ escrowHashes: escrowHashes.slice(0, 1) })],
  ];
  return makeRefused(
    'Each is escrow-receipt.json bent in one way. The laptop of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

/** Encrypts anew only when `previous` does not hold the same. */
async function keepEscrow(recipient: KeyObject, plaintext: string, previous: string): Promise<string> {
  try {
    const opened = await openEscrow(escrowOpener(recipient), previous, TYP.escrow);
    if (opened.toString() === plaintext) return previous;
  } catch {
    // There was none, or it is for something else.
  }
  return encryptToRecipient(recipientOf(recipient), plaintext, TYP.escrow);
}
