import { generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';

import { Agent, request } from 'undici';

import { base64url, digest, sha256 } from '../../src/core/bytes.ts';
import { openChallenge, type OpenedChallenge } from '../../src/laptop/exchange/open-challenge.ts';
import { parseCertificate, type Certificate } from '../../src/pki/certificate.ts';
import { makeCsr } from '../../src/pki/csr.ts';
import { decryptWith, encryptTo } from '../../src/pki/jwe.ts';
import { openCompact, signCompact, signGeneral } from '../../src/pki/jws.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../src/pki/keys.ts';
import { keySigner, type Signer } from '../../src/pki/signer.ts';
import { wireguardProof } from '../../src/pki/wireguard-proof.ts';
import { x25519PublicText } from '../../src/pki/x25519.ts';
import { MEDIA, PROTOCOL, TYP, type P256Jwk } from '../../src/protocol/common.ts';
import { FINGERPRINT_ALGORITHM, fingerprintDigestInput, type Fingerprint } from '../../src/protocol/fingerprint.ts';
import { grant as grantSchema, type Grant } from '../../src/protocol/grant.ts';
import type { Hello } from '../../src/protocol/hello.ts';
import type { Statement } from '../../src/protocol/statement.ts';
import type { OpenedYubiKey } from './opened-yubikey.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** The gateway's error code, when it refused. */
  readonly code: string | undefined;
}

export interface ClientOptions {
  readonly gatewayUrl: string;
  /** PEM file: the web CA. */
  readonly webCaFile: string;
  /** PEM file: the MSP root. */
  readonly rootFile: string;
  /** A UNIX socket that is relayed to the gateway, for a client outside the lab; see relay.ts. */
  readonly socketPath?: string;
}

/** What a test can change in a statement before it is signed, while it is signed, and while it is sent. */
export interface Bend {
  /** Changes the statement before both keys sign it: what a dishonest laptop with a genuine key could claim. */
  readonly statement?: (statement: Statement) => unknown;
  /** Changes the payload after the keys have signed it. */
  readonly afterSigning?: (payload: Statement) => unknown;
  readonly yubikeySigner?: Signer;
  readonly yubikeyX5c?: readonly Buffer[];
  readonly deviceSigner?: KeyObject;
  readonly deviceJwk?: P256Jwk;
  readonly typ?: string;
  /** Encrypts to a key other than the session's. */
  readonly recipient?: P256Jwk;
  /** Changes the general JWS as text. */
  readonly jws?: (jws: string) => string;
  /** Changes the JWE as text. */
  readonly jwe?: (jwe: string) => string;
}

export interface Exchange {
  readonly deviceKey: KeyObject;
  readonly hello: Buffer;
  readonly challengeJws: string;
  readonly opened: OpenedChallenge;
}

/**
 * A client of kiwi/1 for tests: honest unless told otherwise. It shares the product's primitives, but composes its
 * messages itself, so that each part can be made wrong on purpose.
 */
export class ProtocolClient {
  readonly #options: ClientOptions;
  readonly #agent: Agent;
  readonly root: Certificate;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { socketPath } = options;
    const ca = readFileSync(options.webCaFile, 'utf8');
    this.#agent = new Agent({
      connect: { ca, ...(socketPath === undefined ? {} : { socketPath }) },
      connections: 32,
    });
    this.root = parseCertificate(readFileSync(options.rootFile, 'utf8'));
  }

  async send(
    method: 'POST' | 'PUT' | 'GET',
    path: string,
    body: string | Buffer | Readable,
    contentType: string | undefined,
  ): Promise<Answer> {
    const response = await request(new URL(path, this.#options.gatewayUrl), {
      method,
      dispatcher: this.#agent,
      headers: contentType === undefined ? {} : { 'content-type': contentType },
      ...(method === 'GET' ? {} : { body }),
    });
    const text = await response.body.text();
    let code: string | undefined;
    if (response.statusCode >= 400) {
      try {
        code = (JSON.parse(text) as { code?: string }).code;
      } catch {
        code = undefined;
      }
    }
    return { status: response.statusCode, body: text, code };
  }

  helloFor(deviceKey: KeyObject, attemptId: string = randomUUID()): Buffer {
    return Buffer.from(
      JSON.stringify({
        protocol: PROTOCOL,
        attemptId,
        clientNonce: base64url(randomBytes(32)),
        deviceKeyThumbprint: jwkThumbprint(publicJwk(deviceKey)),
        agentVersion: '0.1.0',
      } satisfies Hello),
    );
  }

  sendHello(hello: Buffer): Promise<Answer> {
    return this.send('POST', '/v1/enrollments', hello, MEDIA.json);
  }

  /** Exchanges hello and challenge, checked as the product does. */
  async begin(key: OpenedYubiKey, deviceKey: KeyObject = generateP256()): Promise<Exchange> {
    const hello = this.helloFor(deviceKey);
    const answer = await this.sendHello(hello);
    if (answer.status >= 300) throw new Error(`hello: ${answer.status} ${answer.body}`);
    return this.opened(key, deviceKey, hello, answer.body);
  }

  opened(key: OpenedYubiKey, deviceKey: KeyObject, hello: Buffer, challengeJws: string): Exchange {
    const opened = openChallenge({
      jws: challengeJws,
      helloBytes: hello,
      slug: 'acme',
      keyCertificate: key.certificate,
      roots: [this.root],
      now: Date.now(),
    });
    return { deviceKey, hello, challengeJws, opened };
  }

  /** The statement of an invented laptop; a different `machine` is a different laptop. */
  async statementOf(
    key: OpenedYubiKey,
    exchange: Exchange,
    machine = randomBytes(8).toString('hex'),
  ): Promise<Statement> {
    const { opened, deviceKey } = exchange;
    const name = `test-${machine.slice(0, 12)}`;
    const tunnelKey = generateKeyPairSync('x25519').privateKey;
    const wireguardPublicKey = x25519PublicText(tunnelKey);
    return {
      protocol: PROTOCOL,
      slug: 'acme',
      sessionId: opened.challenge.sessionId,
      challengeHash: base64url(opened.hash),
      csr: base64url(await makeCsr(deviceKey, name)),
      wireguardPublicKey,
      wireguardProof: wireguardProof({
        own: tunnelKey,
        other: opened.challenge.proofKey,
        challengeHash: base64url(opened.hash),
        wireguardPublicKey,
      }),
      fingerprint: fingerprintOf(machine),
      host: { name, os: 'linux', osVersion: 'Debian GNU/Linux 12', arch: 'x64' },
      yubikey: {
        serial: key.serial,
        slot: key.slot,
        attestation: base64url(key.attest()),
        attestationIssuer: base64url(key.attestationIssuer),
      },
      timestamp: new Date().toISOString(),
    };
  }

  /** Signs and encrypts a statement; returns the JWE as it is sent. */
  async seal(key: OpenedYubiKey, exchange: Exchange, statement: Statement, bend: Bend = {}): Promise<string> {
    const { opened, deviceKey } = exchange;
    const typ = bend.typ ?? TYP.statement;
    const said = bend.statement?.(statement) ?? statement;
    const jws = await signGeneral({
      payload: JSON.stringify(said),
      signatures: [
        {
          typ,
          signer: bend.yubikeySigner ?? key.signer,
          x5c: bend.yubikeyX5c ?? [key.certificate.der, opened.intermediate.der],
        },
        {
          typ,
          signer: keySigner(bend.deviceSigner ?? deviceKey),
          jwk: bend.deviceJwk ?? publicJwk(bend.deviceSigner ?? deviceKey),
        },
      ],
    });
    const changed = bend.afterSigning === undefined ? jws : withPayload(jws, bend.afterSigning(statement));
    const jwe = await encryptTo(
      bend.recipient ?? opened.challenge.encryptionKey,
      bend.jws?.(changed) ?? changed,
      TYP.statementEncrypted,
    );
    return bend.jwe?.(jwe) ?? jwe;
  }

  sendStatement(sessionId: string, jwe: string): Promise<Answer> {
    return this.send('PUT', `/v1/enrollments/${sessionId}/statement`, jwe, MEDIA.jose);
  }

  /** Opens a grant without checking it. */
  async openGrant(exchange: Exchange, jwe: string): Promise<Grant> {
    const jws = await decryptWith(exchange.deviceKey, jwe, TYP.grantEncrypted);
    return grantSchema.parse(JSON.parse(openCompact(jws.toString(), TYP.grant).payload.toString()));
  }

  /** A signed message of a device: confirm, status or leave. */
  async device(
    verb: 'confirm' | 'status' | 'leave',
    deviceId: string,
    key: KeyObject,
    message: object,
    bend: { typ?: string; at?: number } = {},
  ): Promise<Answer> {
    const jws = await signCompact({
      typ: bend.typ ?? TYP[verb],
      kid: jwkThumbprint(publicJwk(key)),
      signer: keySigner(key),
      payload: JSON.stringify({
        protocol: PROTOCOL,
        deviceId,
        ...message,
        timestamp: new Date(bend.at ?? Date.now()).toISOString(),
      }),
    });
    return this.send('POST', `/v1/devices/${deviceId}/${verb}`, jws, MEDIA.jose);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

/** A fingerprint with four identity components that are derived from a name. */
export function fingerprintOf(machine: string): Fingerprint {
  const kinds = ['uuid', 'system-serial', 'board-serial', 'chassis-serial', 'cpu'] as const;
  const components = kinds.map((kind) => ({ kind, hmac: base64url(sha256(`${machine} ${kind}`)) }));
  return { algorithm: FINGERPRINT_ALGORITHM, digest: digest(fingerprintDigestInput(components)), components };
}

function withPayload(jws: string, payload: unknown): string {
  const parsed = JSON.parse(jws) as object;
  return JSON.stringify({ ...parsed, payload: base64url(Buffer.from(JSON.stringify(payload))) });
}
