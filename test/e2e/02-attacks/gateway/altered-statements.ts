import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';

import { base64url, sha256 } from '../../../../src/core/bytes.ts';
import { x25519PublicText } from '../../../../src/pki/x25519.ts';
import type { Statement } from '../../../../src/protocol/statement.ts';
import type { Attack } from '../siege.ts';

const anotherTunnelKey = (): string => x25519PublicText(generateKeyPairSync('x25519').privateKey);

const hash = (): string => base64url(sha256(randomBytes(8)));
/** The same length, another value; DER inside stays base64url of as many bytes. */
const flipped = (text: string): string => {
  const bytes = Buffer.from(text, 'base64url');
  const at = bytes.length - 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return base64url(bytes);
};

/** Every field of the statement, changed to something that the schema allows. */
const FIELDS: Readonly<Record<string, (statement: Statement) => Statement>> = {
  slug: (s) => ({ ...s, slug: 'beta' }),
  sessionId: (s) => ({ ...s, sessionId: randomUUID() }),
  challengeHash: (s) => ({ ...s, challengeHash: hash() }),
  csr: (s) => ({ ...s, csr: flipped(s.csr) }),
  wireguardPublicKey: (s) => ({ ...s, wireguardPublicKey: anotherTunnelKey() }),
  wireguardProof: (s) => ({ ...s, wireguardProof: base64url(randomBytes(32)) }),
  'fingerprint.digest': (s) => ({ ...s, fingerprint: { ...s.fingerprint, digest: hash() } }),
  'fingerprint.components': (s) => ({
    ...s,
    fingerprint: { ...s.fingerprint, components: s.fingerprint.components.map((part) => ({ ...part, hmac: hash() })) },
  }),
  'host.name': (s) => ({ ...s, host: { ...s.host, name: 'mallory' } }),
  'host.os': (s) => ({ ...s, host: { ...s.host, os: 'macos' } }),
  'host.osVersion': (s) => ({ ...s, host: { ...s.host, osVersion: 'Debian 11' } }),
  'host.arch': (s) => ({ ...s, host: { ...s.host, arch: 'arm64' } }),
  'host.serial': (s) => ({ ...s, host: { ...s.host, serial: 'SN-0' } }),
  'host.uuid': (s) => ({ ...s, host: { ...s.host, uuid: randomUUID() } }),
  'host.model': (s) => ({ ...s, host: { ...s.host, model: 'another' } }),
  'yubikey.serial': (s) => ({ ...s, yubikey: { ...s.yubikey, serial: 1 } }),
  'yubikey.slot': (s) => ({ ...s, yubikey: { ...s.yubikey, slot: '9a' } }),
  'yubikey.attestation': (s) => ({
    ...s,
    yubikey: { ...s.yubikey, attestation: flipped(s.yubikey.attestation) },
  }),
  'yubikey.attestationIssuer': (s) => ({
    ...s,
    yubikey: { ...s.yubikey, attestationIssuer: flipped(s.yubikey.attestationIssuer) },
  }),
  priorDeviceId: (s) => ({ ...s, priorDeviceId: randomUUID() }),
  consentId: (s) => ({ ...s, consentId: randomUUID() }),
  timestamp: (s) => ({ ...s, timestamp: new Date(0).toISOString() }),
};

/** Nothing that the keys have signed can be changed afterwards. */
export const alteredStatements: readonly Attack[] = Object.entries(FIELDS).map(([field, afterSigning]) => ({
  name: `${field} changed after it was signed`,
  code: 'key-signature-refused',
  why: /^signature$/,
  attack: (siege) => siege.attempt({ afterSigning }),
}));
