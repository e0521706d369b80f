import { createHmac, generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';

import { Agent, request } from 'undici';

import { base64url, digest } from '../../../src/core/bytes.ts';
import type { Certificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { decryptWith, encryptTo } from '../../../src/pki/jwe.ts';
import { openCompact, signCompact, signGeneral } from '../../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { wireguardProof } from '../../../src/pki/wireguard-proof.ts';
import { x25519PublicText } from '../../../src/pki/x25519.ts';
import { challenge as challengeSchema, type Challenge } from '../../../src/protocol/challenge.ts';
import { LIMITS, MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { deviceStatus, type DeviceStatus } from '../../../src/protocol/device-messages.ts';
import {
  COMPONENT_KINDS,
  fingerprintDigestInput,
  type ComponentKind,
  type Fingerprint,
} from '../../../src/protocol/fingerprint.ts';
import { grant as grantSchema, type Grant } from '../../../src/protocol/grant.ts';
import type { Hello } from '../../../src/protocol/hello.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import type { Statement } from '../../../src/protocol/statement.ts';
import type { SoftwareYubikey } from './software-yubikey.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** Sends bytes to a gateway; tests choose what is in them. */
export interface GatewayHand {
  send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, type?: string, body?: string | Buffer): Promise<Answer>;
  close(): Promise<void>;
}

export function gatewayHand(input: { port: number; hostName: string; ca: string; connections?: number }): GatewayHand {
  const agent = new Agent({
    connect: { ca: input.ca, servername: input.hostName },
    connections: input.connections ?? 4,
  });
  return {
    async send(method, path, type, body) {
      const response = await request(`https://127.0.0.1:${input.port}${path}`, {
        method,
        dispatcher: agent,
        ...(type === undefined ? {} : { headers: { 'content-type': type } }),
        ...(body === undefined ? {} : { body }),
      });
      return { status: response.statusCode, headers: response.headers, body: await response.body.text() };
    },
    close: () => agent.destroy(),
  };
}

/** A machine: what its firmware says of it. */
export type Machine = Partial<Record<ComponentKind, string | readonly string[]>>;

export const newMachine = (): Machine => ({
  uuid: randomUUID(),
  'system-serial': randomBytes(6).toString('hex'),
  'board-serial': randomBytes(6).toString('hex'),
  'chassis-serial': randomBytes(6).toString('hex'),
  disk: [randomBytes(6).toString('hex')],
  mac: [randomBytes(6).toString('hex')],
  cpu: 'Processor 1',
});

export interface Laptop {
  readonly machine: Machine;
  readonly hostName: string;
  readonly deviceKey: KeyObject;
  readonly wireguardKey: KeyObject;
  readonly wireguardPublicKey: string;
}

export const newLaptop = (more: Partial<Laptop> = {}): Laptop => {
  const wireguardKey = generateKeyPairSync('x25519').privateKey;
  return {
    machine: newMachine(),
    hostName: `laptop-${randomBytes(3).toString('hex')}`,
    deviceKey: generateP256(),
    wireguardKey,
    wireguardPublicKey: x25519PublicText(wireguardKey),
    ...more,
  };
};

export const newHello = (laptop: Laptop): Hello => ({
  protocol: PROTOCOL,
  attemptId: randomUUID(),
  clientNonce: base64url(randomBytes(32)),
  deviceKeyThumbprint: jwkThumbprint(publicJwk(laptop.deviceKey)),
  agentVersion: '0.1.0',
});

export interface OpenedChallenge {
  readonly jws: string;
  readonly content: Challenge;
}

export function readChallenge(jws: string): OpenedChallenge {
  const { payload } = openCompact(jws, TYP.challenge);
  return { jws, content: parseMessage(challengeSchema, payload, LIMITS.challenge, 'gateway-answer-invalid') };
}

export function fingerprintOf(machine: Machine, salt: string): Fingerprint {
  const components = COMPONENT_KINDS.flatMap((kind) =>
    [machine[kind] ?? []]
      .flat()
      .map((value) =>
        createHmac('sha256', Buffer.from(salt, 'base64url')).update(`${kind}\0${value}`).digest('base64url'),
      )
      .sort()
      .map((hmac) => ({ kind, hmac })),
  );
  return { algorithm: 'kiwi-fp/1', digest: digest(fingerprintDigestInput(components)), components };
}

/** What a laptop says of itself, whoever vouches for it. */
export async function saidOf(
  laptop: Laptop,
  challenge: { readonly jws: string; readonly content: Challenge },
): Promise<Omit<Statement, 'yubikey'>> {
  const { content } = challenge;
  const { machine } = laptop;
  return {
    protocol: PROTOCOL,
    slug: content.customer.slug,
    sessionId: content.sessionId,
    challengeHash: digest(challenge.jws),
    csr: base64url(await makeCsr(laptop.deviceKey, laptop.hostName)),
    wireguardPublicKey: laptop.wireguardPublicKey,
    wireguardProof: wireguardProof({
      own: laptop.wireguardKey,
      other: content.proofKey,
      challengeHash: digest(challenge.jws),
      wireguardPublicKey: laptop.wireguardPublicKey,
    }),
    fingerprint: fingerprintOf(machine, content.fingerprintSalt),
    host: {
      name: laptop.hostName,
      os: 'linux',
      osVersion: 'Debian 12',
      arch: 'x64',
      ...(typeof machine.uuid === 'string' ? { uuid: machine.uuid } : {}),
      ...(typeof machine['system-serial'] === 'string' ? { serial: machine['system-serial'] } : {}),
      model: 'Test 1',
    },
    timestamp: new Date().toISOString(),
  };
}

export const newStatement = async (
  laptop: Laptop,
  challenge: OpenedChallenge,
  yubikey: SoftwareYubikey,
): Promise<Statement> => ({
  ...(await saidOf(laptop, challenge)),
  yubikey: {
    serial: yubikey.serial,
    slot: yubikey.slot,
    attestation: base64url(yubikey.attestation.der),
    attestationIssuer: base64url(yubikey.attestationIssuer.der),
  },
});

/** Both signatures, encrypted to the session's key. */
export async function sealStatement(
  statement: Statement,
  input: {
    challenge: OpenedChallenge;
    laptop: Pick<Laptop, 'deviceKey'>;
    yubikey: Pick<SoftwareYubikey, 'signer'>;
    chain: readonly Certificate[];
  },
): Promise<string> {
  const jws = await signGeneral({
    payload: JSON.stringify(statement),
    signatures: [
      { typ: TYP.statement, signer: input.yubikey.signer, x5c: input.chain.map((certificate) => certificate.der) },
      { typ: TYP.statement, signer: keySigner(input.laptop.deviceKey), jwk: publicJwk(input.laptop.deviceKey) },
    ],
  });
  return encryptTo(input.challenge.content.encryptionKey, jws, TYP.statementEncrypted);
}

export async function readGrant(laptop: Laptop, jwe: string): Promise<Grant> {
  const jws = (await decryptWith(laptop.deviceKey, jwe, TYP.grantEncrypted)).toString('latin1');
  return parseMessage(grantSchema, openCompact(jws, TYP.grant).payload, LIMITS.grant, 'grant-invalid');
}

/** A message of an enrolled laptop, signed by its device key. */
export function signDeviceMessage(laptop: Pick<Laptop, 'deviceKey'>, typ: string, payload: object): Promise<string> {
  return signCompact({
    typ,
    payload: JSON.stringify(payload),
    signer: keySigner(laptop.deviceKey),
    kid: jwkThumbprint(publicJwk(laptop.deviceKey)),
  });
}

export const PATHS = {
  hello: '/v1/enrollments',
  statement: (sessionId: string) => `/v1/enrollments/${sessionId}/statement`,
  device: (deviceId: string, what: 'confirm' | 'status' | 'leave' | 'renewals' | 'bundles' | 'recovery-keys') =>
    `/v1/devices/${deviceId}/${what}`,
} as const;

export const sendHello = (gateway: GatewayHand, hello: Hello): Promise<Answer> =>
  gateway.send('POST', PATHS.hello, MEDIA.json, JSON.stringify(hello));

export const sendStatement = (gateway: GatewayHand, sessionId: string, jwe: string): Promise<Answer> =>
  gateway.send('PUT', PATHS.statement(sessionId), MEDIA.jose, jwe);

export async function sendConfirm(
  gateway: GatewayHand,
  laptop: Laptop,
  deviceId: string,
  grantJwe: string,
): Promise<Answer> {
  const message = {
    protocol: PROTOCOL,
    deviceId,
    grantHash: digest(grantJwe),
    timestamp: new Date().toISOString(),
  };
  const jws = await signDeviceMessage(laptop, TYP.confirm, message);
  return gateway.send('POST', PATHS.device(deviceId, 'confirm'), MEDIA.jose, jws);
}

export async function sendLeave(gateway: GatewayHand, laptop: Laptop, deviceId: string): Promise<Answer> {
  const message = { protocol: PROTOCOL, deviceId, reason: 'uninstalled', timestamp: new Date().toISOString() };
  const jws = await signDeviceMessage(laptop, TYP.leave, message);
  return gateway.send('POST', PATHS.device(deviceId, 'leave'), MEDIA.jose, jws);
}

export async function sendStatus(gateway: GatewayHand, laptop: Laptop, deviceId: string): Promise<Answer> {
  const message = {
    protocol: PROTOCOL,
    deviceId,
    nonce: base64url(randomBytes(16)),
    timestamp: new Date().toISOString(),
  };
  const jws = await signDeviceMessage(laptop, TYP.status, message);
  return gateway.send('POST', PATHS.device(deviceId, 'status'), MEDIA.jose, jws);
}

/** What a signed answer about a device says; who signed it is not looked at here. */
export function readStatus(answer: Answer): DeviceStatus {
  if (answer.status !== 200) throw new Error(answer.body);
  return parseMessage(
    deviceStatus,
    openCompact(answer.body, TYP.deviceStatus).payload,
    LIMITS.deviceStatus,
    'internal',
  );
}
