import type { KeyObject } from 'node:crypto';

import { digest } from '../../../../src/core/bytes.ts';
import { openEscrow, recipientOf } from '../../../../src/pki/escrow-jwe.ts';
import { openCompact, signCompact } from '../../../../src/pki/jws.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import {
  DISK_ESCROW,
  escrowContent,
  recoveryKeyMessage,
  type DiskEscrow,
  type EscrowContent,
  type EscrowReceipt,
  type RecoveryKeyMessage,
} from '../../../../src/protocol/disk-escrow.ts';
import { escrowOpener } from '../../../fakes/escrow-opener.ts';
import type { EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp, say, type Answer } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

/** A slice that keeps recovery keys for the holders of these keys. */
export class KeepingSlice {
  readonly kept: RecoveryKeyMessage[] = [];
  recipients: readonly KeyObject[];
  laptops: DiskEscrow['laptops'] = 'oem';
  wants = true;
  used = false;
  /** So many receipts get lost on their way. */
  lost = 0;
  bend: Partial<EscrowReceipt> = {};
  readonly #laptop: EnrolledLaptop;

  constructor(laptop: EnrolledLaptop, recipients: readonly KeyObject[]) {
    this.#laptop = laptop;
    this.recipients = recipients;
    laptop.gateway.answer((...request) => {
      const path = request[1].path;
      (path.endsWith('/recovery-keys') ? this.#keep : this.#status)(...request);
    });
  }

  /** What a holder of one of the keys reads in the newest, or in an earlier one. */
  async read(recipient: KeyObject | undefined = this.recipients[0], back = 1): Promise<EscrowContent | undefined> {
    const newest = this.kept.at(-back);
    for (const jwe of newest?.escrow ?? []) {
      const opened = recipient && (await openEscrow(escrowOpener(recipient), jwe, TYP.escrow).catch(() => undefined));
      if (opened !== undefined) return escrowContent.parse(JSON.parse(opened.toString()));
    }
    return undefined;
  }

  readonly #status: Answer = (...request) => {
    const newest = this.kept.at(-1);
    const escrowHashes = newest?.escrow.map((jwe) => digest(jwe)) ?? [];
    const escrow: DiskEscrow = {
      ...{ recipients: this.recipients.map(recipientOf), laptops: this.laptops },
      held: newest === undefined ? null : { generation: newest.generation, escrowHashes, used: this.used },
    };
    const extensions = this.wants ? { [DISK_ESCROW]: { critical: false, value: escrow } } : {};
    answerSigned(this.#laptop.slice, { content: { extensions } })(...request);
  };

  readonly #keep: Answer = (response, request, socket) => {
    const { payload } = openCompact(request.body.toString(), TYP.recoveryKey);
    const message = recoveryKeyMessage.parse(JSON.parse(payload.toString()));
    const newest = this.kept.at(-1)?.generation ?? 0;
    if (message.generation < newest) {
      const refusal = { code: 'escrow-refused', message: 'no', hint: 'no', retryable: false, requestId: '1' };
      say(409, 'application/json', JSON.stringify(refusal))(response, request, socket);
      return;
    }
    if (message.generation > newest) {
      this.kept.push(message);
      this.used = false;
    }
    if (this.lost > 0) {
      this.lost--;
      hangUp(response, request, socket);
      return;
    }
    void this.#receipt(request.body, message).then((jws) => {
      say(200, 'application/jose', jws)(response, request, socket);
    });
  };

  #receipt(body: Buffer, message: RecoveryKeyMessage): Promise<string> {
    const { deviceId, generation, volume, escrow } = message;
    const { gateway, intermediate } = this.#laptop.slice;
    const content: EscrowReceipt = {
      ...{ protocol: PROTOCOL, deviceId, requestHash: digest(body) },
      ...{ serverTime: new Date(this.#laptop.now).toISOString(), generation, volume },
      escrowHashes: escrow.map((jwe) => digest(jwe)),
      ...this.bend,
    };
    return signCompact({
      ...{ typ: TYP.escrowReceipt, payload: JSON.stringify(content), signer: keySigner(gateway.key) },
      x5c: [gateway.certificate.der, intermediate.certificate.der],
    });
  }
}
