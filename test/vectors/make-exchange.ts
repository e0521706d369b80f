import { base64url, digest, sha256 } from '../../src/core/bytes.ts';
import { deriveWireguardKey } from '../../src/laptop/tunnel/wireguard-key.ts';
import { fileDeviceKey } from '../../src/laptop/system/device-key.ts';
import { openCompact, signCompact, signGeneral } from '../../src/pki/jws.ts';
import { jwkThumbprint, publicJwk } from '../../src/pki/keys.ts';
import { wireguardProof } from '../../src/pki/wireguard-proof.ts';
import { x25519PrivateKey, x25519PublicText } from '../../src/pki/x25519.ts';
import { challenge as challengeSchema, type Challenge } from '../../src/protocol/challenge.ts';
import { PROTOCOL, TYP } from '../../src/protocol/common.ts';
import {
  confirm as confirmSchema,
  deviceStatus as deviceStatusSchema,
  type Confirm,
  type DeviceStatus,
} from '../../src/protocol/device-messages.ts';
import { grant as grantSchema, type Grant } from '../../src/protocol/grant.ts';
import { hello as helloSchema, type Hello } from '../../src/protocol/hello.ts';
import { sessionCode } from '../../src/protocol/session-code.ts';
import { proofKey } from '../../src/slice/config/proof-key.ts';
import { statement as statementSchema, type Statement } from '../../src/protocol/statement.ts';
import { keepCsr, keepingSigner, keepJwe, signatureOf, textAt } from './keep.ts';
import { DEVICE_ID, NOW, SLUG, YUBIKEY_SERIAL, type Certificates } from './make-certificates.ts';
import { exampleFingerprint, FINGERPRINT_SALT } from './make-fingerprint.ts';
import { testKey, type KeyName } from './test-keys.ts';

const ATTEMPT_ID = '0d9c1f5e-6b1a-4c57-9c1d-6f0f1c2a7e11';
const SESSION_ID = 'b7a1f2f4-3c2e-4f0a-9a53-1de1b0a4c920';
export const fixed = (label: string): Buffer => sha256(`KiwiStack test vector: ${label}`);
const at = (seconds: number): string => new Date(NOW.getTime() + seconds * 1000).toISOString();

/** What the files held before, by name. */
export type Previous = (name: string) => unknown;

/** A whole enrollment, message by message. */
export async function makeExchange(certificates: Certificates, previous: Previous) {
  const hello = makeHello();
  const challenge = await makeChallenge(certificates, hello.bytes, previous('challenge'));
  const statement = await makeStatement(certificates, challenge.jws, previous('statement'));
  const grant = await makeGrant(certificates, statement.jwe, previous('grant'));
  const confirm = await makeConfirm(grant.jwe, previous('confirm'));
  const deviceStatus = await makeDeviceStatus(certificates, confirm.jws, previous('device-status'));
  const [helloHash, challengeHash] = [sha256(hello.bytes), sha256(challenge.jws)];
  return {
    hello,
    challenge,
    'session-code': {
      input: Buffer.concat([Buffer.from('kiwi/1 session code\0'), helloHash, challengeHash]).toString('hex'),
      helloHash: helloHash.toString('hex'),
      challengeHash: challengeHash.toString('hex'),
      code: sessionCode(helloHash, challengeHash),
    },
    statement,
    grant,
    confirm,
    'device-status': deviceStatus,
  };
}

function makeHello(): { bytes: string; helloHash: string } {
  const content: Hello = helloSchema.parse({
    protocol: PROTOCOL,
    attemptId: ATTEMPT_ID,
    clientNonce: base64url(fixed('client nonce')),
    deviceKeyThumbprint: jwkThumbprint(publicJwk(testKey('device'))),
    agentVersion: '0.1.0',
  } satisfies Hello);
  const bytes = JSON.stringify(content);
  return { bytes, helloHash: digest(bytes) };
}

async function makeChallenge(certificates: Certificates, hello: string, previous: unknown) {
  const content: Challenge = {
    protocol: PROTOCOL,
    sessionId: SESSION_ID,
    serverNonce: base64url(fixed('server nonce')),
    helloHash: digest(hello),
    expiresAt: at(300),
    serverTime: at(0),
    customer: { slug: SLUG, name: 'Acme GmbH' },
    fingerprintSalt: base64url(FINGERPRINT_SALT),
    policy: { minimumAgentVersion: '0.1.0', pinPolicies: ['once', 'always'], touchPolicies: ['always'] },
    encryptionKey: publicJwk(testKey('session')),
    proofKey: x25519PublicText(proofKey(testKey('session'))),
  };
  const payload = JSON.stringify(challengeSchema.parse(content));
  const jws = await signCompact({
    typ: TYP.challenge,
    payload,
    signer: keepingSigner(testKey('gateway'), signatureOf(textAt(previous, 'jws'))),
    x5c: [certificates.gateway.der, certificates.intermediate.der],
  });
  return { ...compactParts(jws, payload), challengeHash: digest(jws) };
}

async function makeStatement(certificates: Certificates, challenge: string, previous: unknown) {
  const device = testKey('device');
  const csr = await keepCsr(device, 'anna-laptop', textAt(previous, 'csr'));
  const challengeHash = digest(challenge);
  const { privateKey, publicKey: wireguardPublicKey } = await deriveWireguardKey({
    deviceKey: fileDeviceKey(device, 'device.key'),
    slug: SLUG,
    generation: 0,
  });
  const { proofKey: other } = JSON.parse(openCompact(challenge, TYP.challenge).payload.toString()) as Challenge;
  const content: Statement = {
    protocol: PROTOCOL,
    slug: SLUG,
    sessionId: SESSION_ID,
    challengeHash,
    csr: base64url(csr),
    wireguardPublicKey,
    wireguardProof: wireguardProof({
      ...{ own: x25519PrivateKey(privateKey.bytes), other, challengeHash, wireguardPublicKey },
    }),
    fingerprint: exampleFingerprint(),
    host: {
      name: 'anna-laptop',
      os: 'linux',
      osVersion: 'Debian GNU/Linux 12 (bookworm)',
      arch: 'x64',
      serial: 'PF3ABCDE',
      uuid: '4c4c4544-0042-3510-8053-b7c04f4e5032',
      model: 'LENOVO ThinkPad T14',
    },
    yubikey: {
      serial: YUBIKEY_SERIAL,
      slot: '9c',
      attestation: base64url(certificates.attestation.der),
      attestationIssuer: base64url(certificates.attestationIssuer.der),
    },
    timestamp: at(8),
  };
  const payload = JSON.stringify(statementSchema.parse(content));
  const jws = await signGeneral({
    payload,
    signatures: [
      {
        typ: TYP.statement,
        signer: keepingSigner(testKey('yubikey'), textAt(previous, 'signatures', 0, 'signature')),
        x5c: [certificates.enrollmentKey.der, certificates.intermediate.der],
      },
      {
        typ: TYP.statement,
        signer: keepingSigner(device, textAt(previous, 'signatures', 1, 'signature')),
        jwk: publicJwk(device),
      },
    ],
  });
  const jwe = await keepJwe(testKey('session'), jws, TYP.statementEncrypted, textAt(previous, 'jwe'));
  const { payload: encoded, signatures } = JSON.parse(jws) as {
    payload: string;
    signatures: { protected: string; signature: string }[];
  };
  return {
    payload,
    csr: base64url(csr),
    signatures: signatures.map(({ protected: header, signature }, index) => ({
      key: index === 0 ? 'yubikey' : 'device',
      protectedHeader: Buffer.from(header, 'base64url').toString(),
      signingInput: `${header}.${encoded}`,
      signature,
    })),
    jws,
    recipient: 'session',
    jwe,
    statementHash: digest(jwe),
  };
}

async function makeGrant(certificates: Certificates, statement: string, previous: unknown) {
  const packageHash = digest('KiwiStack test vector: package');
  const content: Grant = {
    protocol: PROTOCOL,
    slug: SLUG,
    deviceId: DEVICE_ID,
    sessionId: SESSION_ID,
    statementHash: digest(statement),
    issuedAt: at(9),
    confirmBy: at(9 + 900),
    hostName: 'anna-laptop',
    certificate: {
      chain: [base64url(certificates.device.der), base64url(certificates.intermediate.der)],
      trustRoots: [base64url(certificates.mspRoot.der)],
      role: 'engineer',
      customer: 'Acme GmbH',
      renewAfter: at(12 * 3600 - 30),
    },
    wireguard: {
      address: '10.77.0.2',
      endpoints: ['203.0.113.7:51820'],
      serverPublicKey: x25519PublicText(x25519PrivateKey(fixed('server key'))),
      presharedKey: fixed('pre-shared key').toString('base64'),
      allowedCidrs: ['10.77.0.0/24', '10.77.1.0/24'],
      dns: { servers: ['10.77.1.53'], domains: ['corp.acme.example'] },
      keepaliveSeconds: 25,
      probe: '10.77.0.1',
    },
    fleet: {
      url: 'https://fleet.corp.acme.example:8080',
      serverCa: certificates.fleetCa.pem,
      enrollSecret: 'example-enroll-secret',
      packages: {
        'linux-x64': {
          url: `https://enroll.acme.example/v1/packages/${packageHash}`,
          sha256: packageHash,
          size: 123_456,
        },
      },
    },
  };
  const payload = JSON.stringify(grantSchema.parse(content));
  const jws = await signCompact({
    typ: TYP.grant,
    payload,
    signer: keepingSigner(testKey('gateway'), signatureOf(textAt(previous, 'jws'))),
    x5c: [certificates.gateway.der, certificates.intermediate.der],
  });
  const jwe = await keepJwe(testKey('device'), jws, TYP.grantEncrypted, textAt(previous, 'jwe'));
  return { ...compactParts(jws, payload), recipient: 'device', jwe, grantHash: digest(jwe) };
}

async function makeConfirm(grant: string, previous: unknown) {
  const content: Confirm = {
    protocol: PROTOCOL,
    deviceId: DEVICE_ID,
    grantHash: digest(grant),
    fingerprint: exampleFingerprint(),
    timestamp: at(60),
  };
  const payload = JSON.stringify(confirmSchema.parse(content));
  const jws = await signCompact({
    typ: TYP.confirm,
    payload,
    signer: keepingSigner(testKey('device'), signatureOf(textAt(previous, 'jws'))),
    kid: jwkThumbprint(publicJwk(testKey('device'))),
  });
  return compactParts(jws, payload, 'device');
}

async function makeDeviceStatus(certificates: Certificates, confirm: string, previous: unknown) {
  const content: DeviceStatus = {
    protocol: PROTOCOL,
    deviceId: DEVICE_ID,
    requestHash: digest(confirm),
    state: 'active',
    endReason: null,
    hardware: 'same',
    serverTime: at(60),
    fleet: null,
  };
  const payload = JSON.stringify(deviceStatusSchema.parse(content));
  const jws = await signCompact({
    typ: TYP.deviceStatus,
    payload,
    signer: keepingSigner(testKey('gateway'), signatureOf(textAt(previous, 'jws'))),
    x5c: [certificates.gateway.der, certificates.intermediate.der],
  });
  return { request: 'confirm.json', ...compactParts(jws, payload) };
}

/** A compact JWS taken apart for the reader. */
export function compactParts(jws: string, payload: string, key: KeyName = 'gateway') {
  const [header = '', encoded = '', signature = ''] = jws.split('.');
  return {
    payload,
    key,
    protectedHeader: Buffer.from(header, 'base64url').toString(),
    signingInput: `${header}.${encoded}`,
    signature,
    jws,
  };
}
