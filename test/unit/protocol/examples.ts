import type { Challenge } from '../../../src/protocol/challenge.ts';
import type { Confirm, DeviceStatus, Leave, StatusRequest } from '../../../src/protocol/device-messages.ts';
import type { Renewal, Renewed } from '../../../src/protocol/renewal.ts';
import type { PublicError } from '../../../src/protocol/error.ts';
import type { Grant } from '../../../src/protocol/grant.ts';
import type { Hello } from '../../../src/protocol/hello.ts';
import type { Statement } from '../../../src/protocol/statement.ts';

const bytes = (length: number, value = 7): string => Buffer.alloc(length, value).toString('base64url');
const base64 = (value: number): string => Buffer.alloc(32, value).toString('base64');

const base64Of = (u: number): string => Buffer.from([u, ...Array<number>(31).fill(0)]).toString('base64');

export const ID = {
  attempt: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001',
  session: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c002',
  device: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c003',
  consent: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c004',
} as const;

/** One message of each kind with every field in it: of the right form, not signed, not true. */
export const hello: Hello = {
  protocol: 'kiwi/1',
  attemptId: ID.attempt,
  clientNonce: bytes(32),
  deviceKeyThumbprint: bytes(32, 1),
  agentVersion: '0.1.0',
};

export const challenge: Challenge = {
  protocol: 'kiwi/1',
  sessionId: ID.session,
  serverNonce: bytes(32),
  helloHash: bytes(32),
  expiresAt: '2026-03-01T12:05:00.000Z',
  serverTime: '2026-03-01T12:00:00.000Z',
  customer: { slug: 'acme', name: 'Acme GmbH' },
  fingerprintSalt: bytes(32),
  policy: { minimumAgentVersion: '0.1.0', pinPolicies: ['once', 'always'], touchPolicies: ['always'] },
  // The base point of the curve (SEC 2, section 2.4.2).
  encryptionKey: {
    kty: 'EC',
    crv: 'P-256',
    x: 'axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY',
    y: 'T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU',
  },
  // The base point of Curve25519 (RFC 7748, section 4.1).
  proofKey: base64Of(9),
};

export const statement: Statement = {
  protocol: 'kiwi/1',
  slug: 'acme',
  sessionId: ID.session,
  challengeHash: bytes(32),
  csr: bytes(300),
  wireguardPublicKey: base64(9),
  wireguardProof: bytes(32),
  fingerprint: { algorithm: 'kiwi-fp/1', digest: bytes(32), components: [{ kind: 'uuid', hmac: bytes(32) }] },
  host: {
    name: 'anna-laptop',
    os: 'linux',
    osVersion: 'Debian GNU/Linux 12',
    arch: 'x64',
    serial: 'PF3ABCDE',
    uuid: '4c4c4544-0042-3510-8053-b7c04f4e5032',
    model: 'ThinkPad T14',
  },
  yubikey: { serial: 12_345_678, slot: '9c', attestation: bytes(800), attestationIssuer: bytes(700) },
  priorDeviceId: ID.device,
  consentId: ID.consent,
  timestamp: '2026-03-01T12:00:03.000Z',
};

export const grant: Grant = {
  protocol: 'kiwi/1',
  slug: 'acme',
  deviceId: ID.device,
  sessionId: ID.session,
  statementHash: bytes(32),
  issuedAt: '2026-03-01T12:00:04.000Z',
  confirmBy: '2026-03-01T12:15:04.000Z',
  hostName: 'anna-laptop',
  certificate: {
    chain: [bytes(700), bytes(600)],
    trustRoots: [bytes(500)],
    role: 'engineer',
    customer: 'Acme GmbH',
    renewAfter: '2026-03-02T00:00:00.000Z',
  },
  wireguard: {
    address: '10.77.0.2',
    endpoints: ['203.0.113.7:51820', 'vpn.acme.example:443', '[2001:db8::7]:51820'],
    serverPublicKey: base64(1),
    presharedKey: base64(2),
    allowedCidrs: ['10.77.0.0/24', '10.77.1.0/24'],
    dns: { servers: ['10.77.1.53'], domains: ['corp.acme.example'] },
    keepaliveSeconds: 25,
    probe: '10.77.0.1',
  },
  fleet: {
    url: 'https://fleet.corp.acme.example:8080',
    serverCa: '-----BEGIN CERTIFICATE-----\n',
    enrollSecret: 'an enroll secret',
    packages: { 'linux-x64': { url: 'https://enroll.acme.example/v1/packages/x', sha256: bytes(32), size: 1000 } },
  },
};

export const confirm: Confirm = {
  protocol: 'kiwi/1',
  deviceId: ID.device,
  grantHash: bytes(32),
  fingerprint: statement.fingerprint,
  timestamp: '2026-03-01T12:01:00.000Z',
};
export const statusRequest: StatusRequest = {
  protocol: 'kiwi/1',
  deviceId: ID.device,
  nonce: bytes(16),
  fingerprint: statement.fingerprint,
  timestamp: '2026-03-01T12:01:00.000Z',
};
export const renewal: Renewal = {
  protocol: 'kiwi/1',
  deviceId: ID.device,
  held: 1,
  nonce: bytes(16),
  csr: bytes(300),
  fingerprint: statement.fingerprint,
  timestamp: '2026-03-02T01:00:00.000Z',
};
export const renewed: Renewed = {
  protocol: 'kiwi/1',
  deviceId: ID.device,
  requestHash: bytes(32),
  serverTime: '2026-03-02T01:00:00.000Z',
  number: 2,
  certificate: { chain: [bytes(500), bytes(600)], renewAfter: '2026-03-02T12:59:30.000Z' },
};
export const leave: Leave = {
  protocol: 'kiwi/1',
  deviceId: ID.device,
  reason: 'uninstalled',
  timestamp: '2026-03-01T12:01:00.000Z',
};
export const deviceStatus: DeviceStatus = {
  protocol: 'kiwi/1',
  deviceId: ID.device,
  requestHash: bytes(32),
  state: 'active',
  endReason: null,
  hardware: 'same',
  serverTime: '2026-03-01T12:01:00.000Z',
  fleet: { reachable: true, known: true, online: true, orbitVersion: '1.50.0', osqueryVersion: '5.19.0', green: true },
};
export const publicError: PublicError = {
  code: 'quota-exceeded',
  message: 'No.',
  hint: 'Ask.',
  retryable: false,
  requestId: 'r-1',
};
