import { createDecipheriv, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Card } from '../../virtual-yubikey/card.ts';
import {
  ATTESTATION_OBJECT,
  DEFAULT_MANAGEMENT_KEY,
  DEFAULT_PIN,
  DEFAULT_PUK,
  factoryManagementKey,
  factoryReference,
} from '../../virtual-yubikey/key/factory-defaults.ts';
import { authorityExtension, signCertificate } from '../../virtual-yubikey/key/certificate.ts';
import type { KeyState } from '../../virtual-yubikey/key/state.ts';
import { ALGORITHM } from '../../virtual-yubikey/piv/algorithms.ts';
import { certificateObject } from '../../virtual-yubikey/piv/objects.ts';
import { commonName, validity } from '../../virtual-yubikey/wire/der.ts';
import { encodeTlv, findTlv, parseTlvs, unwrapTlv } from '../../virtual-yubikey/wire/tlv.ts';

/** The state of a new key, made in memory with a fast EC attestation key. */
export function newState(change: Partial<KeyState> = {}): KeyState {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const name = commonName('Yubico PIV Attestation');
  const certificate = signCertificate(
    {
      serialNumber: randomBytes(8),
      issuer: name,
      validity: validity(new Date('2016-03-14T00:00:00Z'), new Date('2052-04-17T00:00:00Z')),
      subject: name,
      publicKey,
      extensions: [authorityExtension(0)],
    },
    privateKey,
  );
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const firmware = change.firmware ?? '5.4.3';
  return {
    format: 'virtual-yubikey/1',
    serial: 12345678,
    firmware,
    formFactor: 1,
    fips: false,
    pin: factoryReference(DEFAULT_PIN),
    puk: factoryReference(DEFAULT_PUK),
    managementKey: factoryManagementKey({ firmware }),
    slots: {
      f9: { algorithm: ALGORITHM.eccP256, privateKey: pem, pinPolicy: 1, touchPolicy: 1, origin: 'generated' },
    },
    objects: { [ATTESTATION_OBJECT]: certificateObject(certificate).toString('hex') },
    ...change,
  };
}

/** A card with its surroundings as plain values a test can set and read. */
export class TestCard {
  readonly state: KeyState;
  readonly card: Card;
  touched = true;
  touchesAsked = 0;
  saves = 0;
  now = 0;

  constructor(change: Partial<KeyState> = {}) {
    this.state = newState(change);
    this.card = new Card(this.state, {
      save: () => void (this.saves += 1),
      waitForTouch: () => {
        this.touchesAsked += 1;
        return Promise.resolve(this.touched);
      },
      now: () => this.now,
    });
  }

  /** Sends header and data (chained if long), fetches the whole answer, and returns data and status word. */
  async send(header: string, data: Uint8Array = Buffer.alloc(0)): Promise<{ data: Buffer; status: string }> {
    const [cla = 0, ins = 0, p1 = 0, p2 = 0] = Buffer.from(header.replaceAll(' ', ''), 'hex');
    let rest = Buffer.from(data);
    while (rest.length > 255) {
      await this.card.transmit(Buffer.concat([Buffer.of(cla | 0x10, ins, p1, p2, 255), rest.subarray(0, 255)]));
      rest = rest.subarray(255);
    }
    let answer = await this.card.transmit(Buffer.concat([Buffer.of(cla, ins, p1, p2, rest.length), rest]));
    let collected = answer.subarray(0, -2);
    while (answer.at(-2) === 0x61) {
      answer = await this.card.transmit(Buffer.of(0, 0xc0, 0, 0, 0));
      collected = Buffer.concat([collected, answer.subarray(0, -2)]);
    }
    return { data: collected, status: answer.subarray(-2).toString('hex') };
  }

  async status(header: string, data?: Uint8Array): Promise<string> {
    return (await this.send(header, data)).status;
  }

  select(): Promise<string> {
    return this.status('00 a4 04 00', Buffer.from('a000000308', 'hex'));
  }

  verify(pin: string): Promise<string> {
    return this.status('00 20 00 80', padded(pin));
  }

  /** Authenticates the management key, mutually, with the cipher the key has. */
  async authenticate(cipherName = 'des-ede3-ecb', algorithm = '03', key = DEFAULT_MANAGEMENT_KEY): Promise<string> {
    const first = await this.send(`00 87 ${algorithm} 9b`, Buffer.from('7c028000', 'hex'));
    if (first.status !== '9000') return first.status;
    const hidden = findTlv(parseTlvs(unwrapTlv(first.data, 0x7c)), 0x80) ?? Buffer.alloc(0);
    const decipher = createDecipheriv(cipherName, Buffer.from(key, 'hex'), null).setAutoPadding(false);
    const answer = [encodeTlv(0x80, decipher.update(hidden)), encodeTlv(0x81, randomBytes(hidden.length))];
    return this.status(`00 87 ${algorithm} 9b`, encodeTlv(0x7c, ...answer));
  }

  /** Makes a P-256 key in a slot and returns the status word. */
  async generate(slot: string, pinPolicy: number, touchPolicy: number): Promise<string> {
    return (await this.make(slot, 0x11, pinPolicy, touchPolicy)).status;
  }

  /** Makes a key in a slot and returns what the card says. */
  make(
    slot: string,
    algorithm: number,
    pinPolicy: number,
    touchPolicy: number,
  ): Promise<{ data: Buffer; status: string }> {
    const policies = [encodeTlv(0xaa, Buffer.of(pinPolicy)), encodeTlv(0xab, Buffer.of(touchPolicy))];
    return this.send(`00 47 00 ${slot}`, encodeTlv(0xac, encodeTlv(0x80, Buffer.of(algorithm)), ...policies));
  }

  /** Uses the key in a slot on a challenge (81) or a point (85); the result, or nothing with the status word. */
  async use(
    slot: string,
    algorithm: string,
    tag: 0x81 | 0x85,
    input: Uint8Array,
  ): Promise<{ result: Buffer | undefined; status: string }> {
    const request = encodeTlv(0x7c, encodeTlv(0x82), encodeTlv(tag, input));
    const { data, status } = await this.send(`00 87 ${algorithm} ${slot}`, request);
    return { result: data.length === 0 ? undefined : findTlv(parseTlvs(unwrapTlv(data, 0x7c)), 0x82), status };
  }

  sign(slot: string): Promise<string> {
    const request = encodeTlv(0x7c, encodeTlv(0x82), encodeTlv(0x81, Buffer.alloc(32, 7)));
    return this.status(`00 87 11 ${slot}`, request);
  }
}

/** PIN or PUK as on the wire. */
export function padded(text: string): Buffer {
  const bytes = Buffer.alloc(8, 0xff);
  bytes.write(text, 'latin1');
  return bytes;
}
