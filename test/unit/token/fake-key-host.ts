import {
  constants,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  privateDecrypt,
  sign,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';

import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import type { Certificate } from '../../../src/pki/certificate.ts';
import { issueCertificate } from '../../../src/pki/issue.ts';
import { EKU, enrollmentUri } from '../../../src/pki/roles.ts';
import type { PcscdReaders } from '../../../src/token/pcscd-readers.ts';
import type { AskOptions, KeyHost } from '../../../src/token/token-host.ts';
import type { HostAnswer, HostRequest, YubikeyReading } from '../../../src/token/wire/messages.ts';

export interface FakeYubikey {
  readonly serial: number;
  readonly privateKey: KeyObject;
  readonly certificate: Certificate;
  readonly reading: YubikeyReading;
}

interface FakeYubikeyChoice {
  readonly serial?: number;
  readonly customer?: string;
  readonly enrolled?: boolean;
  readonly attestedSerial?: number;
  readonly attestedSlot?: string;
  readonly touch?: 1 | 2 | 3;
  readonly notAfter?: Date;
}

const DATES = { notBefore: new Date('2026-01-01'), notAfter: new Date('2036-01-01') };

/** A YubiKey as the module shows it, with a key in 9c that needs PIN and touch. */
export async function fakeYubikey(choice: FakeYubikeyChoice = {}): Promise<FakeYubikey> {
  const { serial = 11111111, customer = 'acme', attestedSerial = serial, attestedSlot = '9c', touch = 2 } = choice;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const f9 = await issueCertificate({ subject: { cn: 'Yubico PIV Attestation' }, key: issuerKey, ...DATES });
  const issuer = { certificate: f9, key: issuerKey };
  const number = Buffer.alloc(4);
  number.writeUInt32BE(attestedSerial);
  const attestation = await issueCertificate({
    subject: { cn: `YubiKey PIV Attestation ${attestedSlot}` },
    key: publicKey,
    issuer,
    ...DATES,
    extensions: [
      { oid: '1.3.6.1.4.1.41482.3.3', value: Buffer.of(5, 4, 3) },
      { oid: '1.3.6.1.4.1.41482.3.7', value: Buffer.concat([Buffer.of(2, 4), number]) },
      { oid: '1.3.6.1.4.1.41482.3.8', value: Buffer.of(3, touch) },
      { oid: '1.3.6.1.4.1.41482.3.9', value: Buffer.of(1) },
    ],
  });
  const names = { extendedKeyUsages: [EKU.enrollmentKey], sanUris: [enrollmentUri(customer), 'https://g.example'] };
  const certificate = await issueCertificate({
    subject: { cn: 'Ann Example', o: customer, ou: 'staff' },
    key: publicKey,
    issuer,
    ...DATES,
    ...(choice.notAfter === undefined ? {} : { notAfter: choice.notAfter }),
    ...(choice.enrolled === false ? {} : names),
  });
  const base64 = (of: Certificate): string => of.der.toString('base64');
  const slots = [{ slot: '9c' as const, certificate: base64(certificate), attestation: base64(attestation) }];
  const reader = 'Yubico YubiKey 00';
  const reading = { reader, serial, firmware: '5.4.3', pin: 'ok' as const, slots, attestationIssuer: base64(f9) };
  return { serial, privateKey, certificate, reading };
}

/** A token host with memory: what is plugged in, and what it was asked. */
export class FakeKeyHost implements KeyHost {
  keys: FakeYubikey[] = [];
  pinState: YubikeyReading['pin'] = 'ok';
  /** Reader names without a key that answers. */
  held: string[] = [];
  states: PcscdReaders;
  /** The next signing fails with this. */
  failure: ErrorCode | undefined;
  /** Signs with another key than the one it shows, as libykcs11 2.2.0 does after an exchange. */
  signsWith: KeyObject | undefined;
  readonly asked: string[] = [];
  /** PINs as they were when they came, by value: the fake copies what the real host reads from its pipe. */
  readonly pins: string[] = [];
  closed = false;

  ask<Op extends HostRequest['op']>(
    request: Extract<HostRequest, { op: Op }>,
    options: AskOptions = {},
  ): Promise<HostAnswer<Op>> {
    return Promise.resolve().then(() => {
      options.signal?.throwIfAborted();
      return this.#answer(request, options) as HostAnswer<Op>;
    });
  }

  #answer(request: HostRequest, options: AskOptions): unknown {
    this.asked.push(request.op);
    switch (request.op) {
      case 'presence': {
        const there = this.keys.map(({ reading }) => ({
          reader: reading.reader,
          serial: reading.serial,
          pin: this.pinState,
          held: false,
        }));
        return { readers: [...there, ...this.held.map((reader) => ({ reader, held: true }))] };
      }
      case 'read': {
        const wanted = this.keys.filter(({ serial }) => request.serial === undefined || request.serial === serial);
        return { keys: wanted.map(({ reading }) => reading) };
      }
      case 'open': {
        this.pins.push(options.pin?.bytes.toString('latin1') ?? '');
        options.onSigning?.();
        const key = this.keys.find(({ serial }) => serial === request.serial)?.privateKey;
        if (key === undefined) throw new KiwiError('key-removed');
        const input = Buffer.from(request.input, 'base64');
        return { secret: secretBy(key, request.how, input).toString('base64') };
      }
      case 'sign': {
        this.pins.push(options.pin?.bytes.toString('latin1') ?? '');
        if (this.failure === 'pin-wrong') throw new KiwiError(this.failure);
        options.onSigning?.();
        if (this.failure !== undefined) throw new KiwiError(this.failure);
        const key = this.signsWith ?? this.keys.find(({ serial }) => serial === request.serial)?.privateKey;
        if (key === undefined) throw new KiwiError('key-removed');
        const data = Buffer.from(request.data, 'base64');
        return { signature: sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64') };
      }
    }
  }

  readers(): Promise<PcscdReaders> {
    return Promise.resolve(this.states);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

/** What a card does with a point, or with what was encrypted to it. */
function secretBy(privateKey: KeyObject, how: 'ecdh' | 'rsa-oaep-256', input: Buffer): Buffer {
  if (how === 'rsa-oaep-256') {
    return privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, input);
  }
  const [x, y] = [input.subarray(1, 33), input.subarray(33)].map((part) => part.toString('base64url'));
  const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y } as JsonWebKey, format: 'jwk' });
  return diffieHellman({ privateKey, publicKey });
}
