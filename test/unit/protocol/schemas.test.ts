import { x25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';

import { challenge } from '../../../src/protocol/challenge.ts';
import {
  base64urlOf,
  base64urlUpTo,
  hostName,
  LIMITS,
  slug,
  text,
  timestamp,
  TYP,
  uuid,
  wireguardKey,
} from '../../../src/protocol/common.ts';
import { confirm, deviceStatus, leave, statusRequest } from '../../../src/protocol/device-messages.ts';
import { renewal, renewed } from '../../../src/protocol/renewal.ts';
import { publicError } from '../../../src/protocol/error.ts';
import { domain, grant, wireguardEndpoint } from '../../../src/protocol/grant.ts';
import { hello } from '../../../src/protocol/hello.ts';
import { pivSlot, statement } from '../../../src/protocol/statement.ts';
import * as examples from './examples.ts';

type Json = Record<string, unknown>;

const MESSAGES: readonly (readonly [name: string, schema: z.ZodType, example: object])[] = [
  ['hello', hello, examples.hello],
  ['challenge', challenge, examples.challenge],
  ['statement', statement, examples.statement],
  ['grant', grant, examples.grant],
  ['confirm', confirm, examples.confirm],
  ['status', statusRequest, examples.statusRequest],
  ['renewal', renewal, examples.renewal],
  ['renewed', renewed, examples.renewed],
  ['leave', leave, examples.leave],
  ['device status', deviceStatus, examples.deviceStatus],
  ['error', publicError, examples.publicError],
];

/** Fields that a message may lack. */
const OPTIONAL = new Set([
  'host.serial',
  'host.uuid',
  'host.model',
  'priorDeviceId',
  'consentId',
  'confirm fingerprint',
  'status fingerprint',
  'renewal fingerprint',
  'fleet.packages.linux-x64',
]);

const isNull = (value: unknown): boolean => value === null;
const isTrue = (value: unknown): boolean => value === true;
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What of `null, true, 1.5, [], {}, ''` some fields may be. */
const TAKES: readonly (readonly [message: string, path: string, takes: (value: unknown) => boolean])[] = [
  ['grant', 'wireguard.dns.servers', (value) => Array.isArray(value)],
  ['grant', 'wireguard.dns.domains', (value) => Array.isArray(value)],
  ['grant', 'fleet.packages', isObject],
  ['device status', 'fleet', isNull],
  ['device status', 'endReason', isNull],
  ['device status', 'hardware', isNull],
  ...['reachable', 'known', 'online', 'green'].map((key) => ['device status', `fleet.${key}`, isTrue] as const),
  ...['orbitVersion', 'osqueryVersion'].flatMap((key) => [
    ['device status', `fleet.${key}`, isNull] as const,
    ['device status', `fleet.${key}`, (value: unknown) => value === ''] as const,
  ]),
  ['error', 'message', (value) => value === ''],
  ['error', 'hint', (value) => value === ''],
  ['error', 'retryable', isTrue],
];

/** Every place in a message where an object has a field, as a path. */
function fields(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => fields(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...fields(inner, [...path, key])]);
}

/** A copy of `value` in which the object that holds the last part of `path` was changed by `change`. */
function changed(value: object, path: readonly (string | number)[], change: (holder: Json, key: string) => void): Json {
  const copy = structuredClone(value) as Json;
  let at: unknown = copy;
  for (const part of path.slice(0, -1)) at = (at as Json)[part];
  change(at as Json, String(path.at(-1)));
  return copy;
}

const accepts = (schema: z.ZodType, value: unknown): boolean => schema.safeParse(value).success;

describe.each(MESSAGES)('the %s', (name, schema, example) => {
  it('is taken as it is and read as the same value', () => {
    expect(schema.parse(example)).toEqual(example);
    expect(schema.parse(JSON.parse(JSON.stringify(example)))).toEqual(example);
  });

  it('may lack its optional fields and no other, at any depth', () => {
    for (const path of fields(example)) {
      const without = changed(example, path, (holder, key) => Reflect.deleteProperty(holder, key));
      const optional = OPTIONAL.has(path.join('.')) || OPTIONAL.has(`${name} ${path.join('.')}`);
      expect([path.join('.'), accepts(schema, without)]).toEqual([path.join('.'), optional]);
    }
  });

  it('has no other field, at any depth', () => {
    for (const path of fields(example)) {
      const more = changed(example, path, (holder) => (holder['surplus'] = 1));
      expect([path.join('.'), accepts(schema, more)]).toEqual([path.join('.'), false]);
    }
  });

  it('has no field of another type', () => {
    for (const path of fields(example)) {
      for (const other of [null, true, 1.5, [], {}, '']) {
        const wrong = changed(example, path, (holder, key) => (holder[key] = other));
        const allowed = TAKES.some((entry) => entry[0] === name && entry[1] === path.join('.') && entry[2](other));
        expect([path.join('.'), other, accepts(schema, wrong)]).toEqual([path.join('.'), other, allowed]);
      }
    }
  });

  it('can be extended in one place, by what need not be understood', () => {
    const extended = (extensions: unknown): boolean => accepts(schema, { ...example, extensions });
    expect(extended({})).toBe(true);
    expect(extended({ 'example.color': { critical: false, value: { any: ['thing', null, 1.5] } } })).toBe(true);
    expect(extended({ 'example.color': { critical: true, value: 1 } })).toBe(false);
    for (const malformed of [
      null,
      [],
      { 'example.color': 1 },
      { 'example.color': { critical: false } },
      { 'example.color': { value: 1 } },
      { 'example.color': { critical: 'no', value: 1 } },
      { 'example.color': { critical: false, value: 1, more: 1 } },
      { Color: { critical: false, value: 1 } },
      Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`x${at}`, { critical: false, value: 1 }])),
    ]) {
      expect([malformed, extended(malformed)]).toEqual([malformed, false]);
    }
  });

  it('speaks kiwi/1 alone', () => {
    if (!('protocol' in example)) return;
    for (const protocol of ['kiwi/2', 'kiwi/1 ', 'KIWI/1', 1]) {
      expect(accepts(schema, { ...example, protocol })).toBe(false);
    }
  });
});

describe('bounds', () => {
  const cases: readonly (readonly [schema: z.ZodType, example: object, path: string, value: unknown])[] = [
    [hello, examples.hello, 'clientNonce', Buffer.alloc(31).toString('base64url')],
    [hello, examples.hello, 'clientNonce', Buffer.alloc(33).toString('base64url')],
    [hello, examples.hello, 'agentVersion', '1.2'],
    [hello, examples.hello, 'agentVersion', '1.2.3-beta'],
    [hello, examples.hello, 'agentVersion', '123456.0.0'],
    [challenge, examples.challenge, 'customer.name', 'x'.repeat(101)],
    [challenge, examples.challenge, 'policy.pinPolicies', []],
    [challenge, examples.challenge, 'policy.touchPolicies', ['sometimes']],
    [challenge, examples.challenge, 'encryptionKey.crv', 'P-384'],
    [challenge, examples.challenge, 'encryptionKey.y', examples.challenge.encryptionKey.x],
    [challenge, examples.challenge, 'encryptionKey.d', Buffer.alloc(32).toString('base64url')],
    [statement, examples.statement, 'csr', Buffer.alloc(2049).toString('base64url')],
    [statement, examples.statement, 'wireguardPublicKey', Buffer.alloc(31).toString('base64')],
    [statement, examples.statement, 'wireguardPublicKey', Buffer.alloc(32).toString('base64url')],
    [statement, examples.statement, 'wireguardProof', Buffer.alloc(31).toString('base64url')],
    [challenge, examples.challenge, 'proofKey', Buffer.alloc(32).toString('base64')],
    [statement, examples.statement, 'fingerprint.algorithm', 'kiwi-fp/2'],
    [statement, examples.statement, 'fingerprint.components', []],
    [
      statement,
      examples.statement,
      'fingerprint.components',
      Array.from({ length: 33 }, () => examples.statement.fingerprint.components[0]),
    ],
    [statement, examples.statement, 'fingerprint.components.0.kind', 'favourite-colour'],
    [statement, examples.statement, 'host.os', 'plan9'],
    [statement, examples.statement, 'host.arch', 'riscv64'],
    [statement, examples.statement, 'host.model', 'x'.repeat(101)],
    [statement, examples.statement, 'host.uuid', '4C4C4544-0042-3510-8053-B7C04F4E5032'],
    [statement, examples.statement, 'yubikey.serial', 0],
    [statement, examples.statement, 'yubikey.serial', 2 ** 32],
    [statement, examples.statement, 'yubikey.serial', '12345678'],
    [statement, examples.statement, 'yubikey.attestation', Buffer.alloc(4097).toString('base64url')],
    [grant, examples.grant, 'certificate.chain', [examples.grant.certificate.chain[0]]],
    [grant, examples.grant, 'certificate.chain', Array.from({ length: 3 }, () => 'AAAA')],
    [grant, examples.grant, 'certificate.trustRoots', []],
    [grant, examples.grant, 'certificate.trustRoots', Array.from({ length: 5 }, () => 'AAAA')],
    [grant, examples.grant, 'wireguard.address', '10.77.0'],
    [grant, examples.grant, 'wireguard.address', '10.77.0.2/24'],
    [grant, examples.grant, 'wireguard.endpoints', []],
    [grant, examples.grant, 'wireguard.endpoints', Array.from({ length: 5 }, () => '203.0.113.7:51820')],
    [grant, examples.grant, 'wireguard.allowedCidrs', []],
    [grant, examples.grant, 'wireguard.allowedCidrs', Array.from({ length: 33 }, () => '10.0.0.0/24')],
    [grant, examples.grant, 'wireguard.allowedCidrs.0', '10.0.0.0/33'],
    [grant, examples.grant, 'wireguard.allowedCidrs.0', '::/0'],
    [grant, examples.grant, 'wireguard.dns.servers', Array.from({ length: 5 }, () => '10.0.0.1')],
    [grant, examples.grant, 'wireguard.dns.domains', ['com']],
    [grant, examples.grant, 'wireguard.keepaliveSeconds', 4],
    [grant, examples.grant, 'wireguard.keepaliveSeconds', 121],
    [grant, examples.grant, 'fleet.url', 'http://fleet.acme.example'],
    [grant, examples.grant, 'fleet.url', 'https://fleet.acme.example/\nORBIT_X=1'],
    [grant, examples.grant, 'fleet.url', ' https://fleet.acme.example'],
    [grant, examples.grant, 'fleet.url', 'https://[x'],
    [grant, examples.grant, 'fleet.serverCa', 'x'.repeat(16_385)],
    [grant, examples.grant, 'fleet.enrollSecret', 'two\nlines'],
    [grant, examples.grant, 'fleet.packages', { 'amiga-68k': examples.grant.fleet.packages['linux-x64'] }],
    [grant, examples.grant, 'fleet.packages.linux-x64.size', 0],
    [grant, examples.grant, 'fleet.packages.linux-x64.size', 500_000_001],
    [confirm, examples.confirm, 'grantHash', 'AAAA'],
    [statusRequest, examples.statusRequest, 'nonce', Buffer.alloc(15).toString('base64url')],
    [leave, examples.leave, 'reason', 'bored'],
    [deviceStatus, examples.deviceStatus, 'state', 'reserved'],
    [deviceStatus, examples.deviceStatus, 'endReason', 'bored'],
    [deviceStatus, examples.deviceStatus, 'hardware', 'other'],
    [deviceStatus, examples.deviceStatus, 'requestHash', ''],
    [publicError, examples.publicError, 'code', 'Not A Code'],
    [publicError, examples.publicError, 'message', 'x'.repeat(501)],
    [publicError, examples.publicError, 'requestId', 'x'.repeat(65)],
  ];
  it.each(cases)('are kept (%#)', (schema, example, path, value) => {
    expect(accepts(schema, example)).toBe(true);
    const wrong = changed(example, path.split('.'), (holder, key) => (holder[key] = value));
    expect([path, accepts(schema, wrong)]).toEqual([path, false]);
  });
});

describe('encodings', () => {
  it('of bytes are base64url in its one form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (data) => {
        const encoded = Buffer.from(data).toString('base64url');
        expect(accepts(base64urlOf(data.length), encoded)).toBe(true);
        expect(accepts(base64urlOf(data.length + 1), encoded)).toBe(false);
        expect(accepts(base64urlUpTo(data.length), encoded)).toBe(true);
        expect(accepts(base64urlUpTo(data.length - 1), encoded)).toBe(false);
        for (const other of [`${encoded}=`, `${encoded}\n`, ` ${encoded}`, `${encoded}.`]) {
          expect(accepts(base64urlUpTo(100), other)).toBe(false);
          expect(accepts(base64urlOf(data.length), other)).toBe(false);
        }
      }),
    );
  });

  it.each(['AB', 'AAB', '+-AA', 'AA/A', 'A', 'AAAA====', ''])('of bytes are not %j', (other) => {
    expect(accepts(base64urlUpTo(100), other)).toBe(false);
    for (const length of [0, 1, 2, 3]) expect(accepts(base64urlOf(length), other)).toBe(other === '' && length === 0);
  });

  it.each([
    '2026-03-01T12:00:00Z',
    '2026-03-01T12:00:00.00Z',
    '2026-03-01T12:00:00.000+00:00',
    '2026-03-01T12:00:00.000',
    '2026-03-01 12:00:00.000Z',
    '2026-02-30T12:00:00.000Z',
    '2026-03-01T24:00:00.000Z',
    '2026-03-01T12:00:60.000Z',
    '2026-03-01T12:00:00.000Z\n',
  ])('of a time are not %j', (other) => {
    expect(accepts(timestamp, other)).toBe(false);
  });

  it('of a time are what Date says of any millisecond', () => {
    const year = (y: number): Date => new Date(Date.UTC(y, 0, 1));
    fc.assert(
      fc.property(fc.date({ min: year(1970), max: year(9999), noInvalidDate: true }), (date) => {
        expect(accepts(timestamp, date.toISOString())).toBe(true);
      }),
    );
  });

  it.each<[z.ZodType, string, boolean]>([
    [uuid, '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001', true],
    [uuid, '8C2E4CB5-6A1C-4B43-9A5E-07C3A4A1C001', false],
    [uuid, '{8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001}', false],
    [uuid, '8c2e4cb56a1c4b439a5e07c3a4a1c001', false],
    [uuid, '../confirm', false],
    // SMBIOS has what the maker wrote: version 9 and variant 0, for one.
    [uuid, '564d1234-5678-9abc-def0-123456789abc', true],
    [uuid, '00000000-0000-0000-0000-000000000000', true],
    [uuid, '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c0011', false],
    [slug, 'ab', true],
    [slug, 'a', false],
    [slug, 'acme-2', true],
    [slug, 'acme-', false],
    [slug, '2acme', false],
    [slug, 'Acme', false],
    [slug, 'a'.repeat(32), true],
    [slug, 'a'.repeat(33), false],
    [slug, 'acme\n', false],
    [slug, 'ac\0me', false],
    [hostName, 'a', true],
    [hostName, '7', true],
    [hostName, 'a'.repeat(63), true],
    [hostName, 'a'.repeat(64), false],
    [hostName, '-a', false],
    [hostName, 'a-', false],
    [hostName, 'a.b', false],
    [hostName, 'a_b', false],
    [domain, 'corp.acme.example', true],
    [domain, 'example', false],
    [domain, 'Corp.Example', false],
    [domain, 'corp.example.', false],
    [domain, `${'a'.repeat(64)}.example`, false],
    [wireguardEndpoint, '203.0.113.7:51820', true],
    [wireguardEndpoint, 'vpn.acme.example:1', true],
    [wireguardEndpoint, '[2001:db8::7]:65535', true],
    [wireguardEndpoint, 'vpn.acme.example', false],
    [wireguardEndpoint, 'vpn.acme.example:0', false],
    [wireguardEndpoint, 'vpn.acme.example:65536', false],
    [wireguardEndpoint, 'vpn.acme.example:51820\nPostUp = x', false],
    [pivSlot, '9a', true],
    [pivSlot, '9e', true],
    [pivSlot, '82', true],
    [pivSlot, '95', true],
    [pivSlot, '96', false],
    [pivSlot, '9b', false],
    [pivSlot, 'f9', false],
    [pivSlot, '9C', false],
    [text(9), 'Zoë 株式', true],
    [text(9), '', false],
    // UTF-16 code units, not characters: of these each has two.
    [text(100), '😀'.repeat(50), true],
    [text(100), '😀'.repeat(51), false],
    [text(99), '😀'.repeat(50), false],
    [text(9), 'a\u0007', false],
    [text(9), 'a\u202eb', false],
    [text(9), 'a\u200bb', false],
    [text(9), 'a\u2028b', false],
    [text(9), 'a\ud800', false],
  ])('of names (%#): %2$s is %3$s', (schema, value, expected) => {
    expect(accepts(schema, value)).toBe(expected);
  });
});

describe('the constants', () => {
  it('give every kind of signed or encrypted message a typ of its own', () => {
    expect(new Set(Object.values(TYP)).size).toBe(Object.keys(TYP).length);
  });

  it('leave room for the largest message of each kind', () => {
    const largest = { ...examples.statement, csr: Buffer.alloc(2048).toString('base64url') };
    // JWS and JWE each add a third, x5c a few certificates.
    expect(JSON.stringify(largest).length * 2 + 4 * 8192).toBeLessThan(LIMITS.statement);
    expect(JSON.stringify(examples.hello).length).toBeLessThan(LIMITS.hello);
  });
});

describe('a public key of WireGuard', () => {
  const PRIME = 2n ** 255n - 19n;
  const text = (u: bigint): string => Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse().toString('base64');
  const LOW = [
    0n,
    1n,
    PRIME - 1n,
    325606250916557431795983626356110631294008115727848805560023387167927233504n,
    39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  ];

  it.each(LOW)('is not the point %i of low order, with which every secret is zero', (u) => {
    const point = Buffer.from(text(u), 'base64');
    expect(() => x25519.getSharedSecret(Buffer.alloc(32, 7), point)).toThrow();
    expect(wireguardKey.safeParse(text(u)).success).toBe(false);
  });

  it('has one form only, because keys are compared as text', () => {
    expect(wireguardKey.safeParse(text(9n)).success).toBe(true);
    expect(wireguardKey.safeParse(text(9n + PRIME)).success).toBe(false);
    expect(wireguardKey.safeParse(text(9n + 2n ** 255n)).success).toBe(false);
    for (let turn = 0; turn < 100; turn++) {
      const { publicKey } = x25519.keygen();
      expect(wireguardKey.safeParse(Buffer.from(publicKey).toString('base64')).success).toBe(true);
    }
  });
});
