import { createPrivateKey, generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { base64url, digest, sha256 } from '../../../../src/core/bytes.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { issueCertificate, type IssueInput } from '../../../../src/pki/issue.ts';
import { decryptWith, encryptTo } from '../../../../src/pki/jwe.ts';
import { openGeneral, signCompact } from '../../../../src/pki/jws.ts';
import { generateP256, jwkToKey, publicJwk } from '../../../../src/pki/keys.ts';
import { deviceUri, EKU } from '../../../../src/pki/roles.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { x25519PublicText } from '../../../../src/pki/x25519.ts';
import type { Challenge } from '../../../../src/protocol/challenge.ts';
import { LIMITS, PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import type { DeviceStatus } from '../../../../src/protocol/device-messages.ts';
import type { Grant } from '../../../../src/protocol/grant.ts';
import type { Statement } from '../../../../src/protocol/statement.ts';
import { slicePaths } from '../../../../src/slice/config/slice-paths.ts';
import { dates, makeAuthority, type Authority } from '../forge.ts';
import type { Siege } from '../siege.ts';
import { honest, jose, type Manners } from './interceptor.ts';

/** Who signs challenges and grants, and under which intermediate. */
export interface SliceIdentity {
  readonly signer: Authority;
  readonly intermediate: Authority;
}

/** The slice's own keys, in the wrong hands. */
export function stolenIdentity({ world, intermediate }: Siege): SliceIdentity {
  const { gateway } = slicePaths(world.sliceDir);
  const certificate = parseCertificate(readFileSync(gateway.certificate, 'utf8'));
  return { signer: { certificate, key: createPrivateKey(readFileSync(gateway.key, 'utf8')) }, intermediate };
}

/** A slice of one's own under a root. */
export async function ownIdentity(root: Authority, slug: string, customer: string): Promise<SliceIdentity> {
  const intermediate = await makeAuthority({ cn: `KiwiStack ${slug} intermediate`, o: customer }, 0, root);
  return { signer: await gatewayCertificate(intermediate, slug, customer), intermediate };
}

export async function gatewayCertificate(intermediate: Authority, slug: string, customer: string): Promise<Authority> {
  const key = generateP256();
  const certificate = await issueCertificate({
    subject: { cn: `KiwiStack ${slug} gateway`, o: customer },
    key,
    issuer: intermediate,
    ...dates(),
    extendedKeyUsages: [EKU.gateway],
    sanUris: [`urn:kiwistack:customer:${slug}`],
  });
  return { certificate, key };
}

export interface ChallengeChanges {
  readonly content?: Partial<Challenge>;
  /** How far the slice's clock is off. */
  readonly clockMs?: number;
  readonly typ?: string;
}

/** A challenge in every part as the gateway makes it, but for what is changed. */
export async function mintChallenge(
  { signer, intermediate }: SliceIdentity,
  hello: Buffer,
  changes: ChallengeChanges = {},
  encryptionKey: KeyObject = generateP256(),
): Promise<string> {
  const now = Date.now() + (changes.clockMs ?? 0);
  const content: Challenge = {
    protocol: PROTOCOL,
    sessionId: randomUUID(),
    serverNonce: base64url(randomBytes(32)),
    helloHash: base64url(sha256(hello)),
    expiresAt: new Date(now + 300_000).toISOString(),
    serverTime: new Date(now).toISOString(),
    customer: { slug: 'acme', name: 'Acme GmbH' },
    fingerprintSalt: base64url(randomBytes(32)),
    policy: { minimumAgentVersion: '0.1.0', pinPolicies: ['once', 'always'], touchPolicies: ['always'] },
    encryptionKey: publicJwk(encryptionKey),
    proofKey: x25519PublicText(generateKeyPairSync('x25519').privateKey),
    ...changes.content,
  };
  return signCompact({
    typ: changes.typ ?? TYP.challenge,
    payload: JSON.stringify(content),
    signer: keySigner(signer.key),
    x5c: [signer.certificate.der, intermediate.certificate.der],
  });
}

/** All is well, says somebody, of the device that is asked for. */
export function mintGreen(
  { signer, intermediate }: SliceIdentity,
  asked: { readonly path: string; readonly body: Buffer },
): Promise<string> {
  const content: DeviceStatus = {
    protocol: PROTOCOL,
    deviceId: asked.path.split('/')[3] ?? '',
    requestHash: base64url(sha256(asked.body)),
    state: 'active',
    endReason: null,
    hardware: null,
    serverTime: new Date().toISOString(),
    fleet: { reachable: true, known: true, online: true, orbitVersion: '1', osqueryVersion: '1', green: true },
  };
  return signCompact({
    typ: TYP.deviceStatus,
    payload: JSON.stringify(content),
    signer: keySigner(signer.key),
    x5c: [signer.certificate.der, intermediate.certificate.der],
  });
}

export interface GrantChanges {
  readonly grant?: (grant: Grant) => Grant;
  /** The device certificate. */
  readonly certificate?: Partial<IssueInput>;
  readonly certificateIssuer?: Authority;
  /** Signs the grant in place of the gateway. */
  readonly signer?: Authority;
  readonly typ?: string;
}

/** A slice that grants something else than was asked for: it holds all keys of the genuine one. */
export function faithlessSlice(siege: Siege, changes: (siege: Siege) => GrantChanges | Promise<GrantChanges>): Manners {
  const identity = stolenIdentity(siege);
  const sessionKey = generateP256();
  const sessionId = randomUUID();
  return async (asked, pass) => {
    if (asked.path === '/v1/enrollments') {
      return jose(await mintChallenge(identity, asked.body, { content: { sessionId } }, sessionKey));
    }
    if (!asked.path.endsWith('/statement')) return honest(asked, pass);
    const jwe = asked.body.toString();
    const jws = openGeneral(
      await decryptWith(sessionKey, jwe, TYP.statementEncrypted),
      TYP.statement,
      LIMITS.statement,
    );
    const deviceKey = jws.signatures[1]?.header.jwk;
    if (deviceKey === undefined) throw new TypeError('a statement of two keys');
    const statement = JSON.parse(jws.payload.toString()) as Statement;
    const bent = await changes(siege);
    const grant = await mintGrant(
      siege,
      { statement, statementHash: digest(jwe), deviceKey: jwkToKey(deviceKey) },
      bent,
    );
    const signer = bent.signer ?? identity.signer;
    const signed = await signCompact({
      typ: bent.typ ?? TYP.grant,
      payload: JSON.stringify(bent.grant?.(grant) ?? grant),
      signer: keySigner(signer.key),
      x5c: [signer.certificate.der, identity.intermediate.certificate.der],
    });
    return jose(await encryptTo(deviceKey, signed, TYP.grantEncrypted));
  };
}

async function mintGrant(
  siege: Siege,
  asked: { statement: Statement; statementHash: string; deviceKey: KeyObject },
  { certificate, certificateIssuer }: GrantChanges,
): Promise<Grant> {
  const { statement, statementHash, deviceKey } = asked;
  // All but what names laptop and session is as in a genuine grant.
  const { victim, intermediate } = siege;
  const deviceId = randomUUID();
  const leaf = await issueCertificate({
    subject: { cn: statement.host.name, o: 'Acme GmbH', ou: 'engineer' },
    key: deviceKey,
    issuer: certificateIssuer ?? intermediate,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    extendedKeyUsages: [EKU.clientAuth],
    sanUris: [deviceUri('acme', deviceId)],
    ...certificate,
  });
  return {
    ...victim.grant,
    deviceId,
    sessionId: statement.sessionId,
    statementHash,
    issuedAt: new Date().toISOString(),
    confirmBy: new Date(Date.now() + 900_000).toISOString(),
    hostName: statement.host.name,
    certificate: {
      ...victim.grant.certificate,
      chain: [base64url(leaf.der), base64url(intermediate.certificate.der)],
    },
  };
}
