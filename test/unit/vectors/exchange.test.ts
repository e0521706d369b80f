import {
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  verify,
  type KeyObject,
} from 'node:crypto';

import {
  calculateJwkThumbprint,
  compactDecrypt,
  compactVerify,
  generalVerify,
  type GeneralJWSInput,
  type JWK,
} from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';

import { checkGrant } from '../../../src/laptop/exchange/check-grant.ts';
import { openChallenge, type OpenedChallenge } from '../../../src/laptop/exchange/open-challenge.ts';
import { verifyAttestation } from '../../../src/pki/attestation.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { readCsr } from '../../../src/pki/csr.ts';
import { openEscrow } from '../../../src/pki/escrow-jwe.ts';
import { decryptWith } from '../../../src/pki/jwe.ts';
import { openCompact, openGeneral, signCompact } from '../../../src/pki/jws.ts';
import { jwkThumbprint, publicJwk, spkiDer } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { LIMITS, TYP } from '../../../src/protocol/common.ts';
import { openDeviceStatus } from '../../../src/laptop/exchange/open-device-status.ts';
import { fileDeviceKey } from '../../../src/laptop/system/device-key.ts';
import { confirm } from '../../../src/protocol/device-messages.ts';
import { hello } from '../../../src/protocol/hello.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import { sessionCode } from '../../../src/protocol/session-code.ts';
import { statement as statementSchema } from '../../../src/protocol/statement.ts';
import { escrowOpener } from '../../fakes/escrow-opener.ts';
import { makeVectors } from '../../vectors/make.ts';
import * as V from '../../vectors/vector.ts';

const files = {
  keys: V.vector('keys', V.KEYS).keys,
  certificates: V.vector('certificates', V.CERTIFICATES).certificates,
  hello: V.vector('hello', V.HELLO),
  challenge: V.vector('challenge', V.CHALLENGE),
  code: V.vector('session-code', V.SESSION_CODE),
  statement: V.vector('statement', V.STATEMENT),
  grant: V.vector('grant', V.GRANT),
  confirm: V.vector('confirm', V.CONFIRM),
  deviceStatus: V.vector('device-status', V.DEVICE_STATUS),
  renewal: V.vector('renewal', V.RENEWAL),
  bundle: V.vector('bundle', V.BUNDLE),
  renewed: V.vector('renewed', V.RENEWED),
  recoveryKey: V.vector('recovery-key', V.RECOVERY_KEY),
  receipt: V.vector('escrow-receipt', V.ESCROW_RECEIPT),
};

const NOW = new Date('2026-03-01T12:00:10.000Z');

const key = (name: string): KeyObject => createPrivateKey(files.keys[name]?.pkcs8 ?? '');
const certificate = (name: string): Certificate =>
  parseCertificate(Buffer.from(files.certificates[name]?.der ?? '', 'base64url'));
const hash = (text: string): string => createHash('sha256').update(text).digest('base64url');

let opened: OpenedChallenge;
beforeAll(() => {
  opened = openChallenge({
    jws: files.challenge.jws,
    helloBytes: Buffer.from(files.hello.bytes),
    slug: 'acme',
    keyCertificate: certificate('enrollmentKey'),
    roots: [certificate('mspRoot')],
    now: NOW.getTime(),
  });
});

/** ECDH-ES + A256GCM by hand: RFC 7518, section 4.6, RFC 7516, section 5.2. */
function decryptByHand(jwe: string, recipient: KeyObject): string {
  const [header = '', , iv = '', ciphertext = '', tag = ''] = jwe.split('.');
  const { epk } = JSON.parse(Buffer.from(header, 'base64url').toString()) as {
    epk: { kty: string; crv: string; x: string; y: string };
  };
  const shared = diffieHellman({ privateKey: recipient, publicKey: createPublicKey({ key: epk, format: 'jwk' }) });
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const enc = Buffer.from('A256GCM');
  const otherInfo = Buffer.concat([number(enc.length), enc, number(0), number(0), number(256)]);
  const contentKey = createHash('sha256')
    .update(Buffer.concat([number(1), shared, otherInfo]))
    .digest();
  const decipher = createDecipheriv('aes-256-gcm', contentKey, Buffer.from(iv, 'base64url'));
  decipher.setAAD(Buffer.from(header, 'ascii'));
  decipher.setAuthTag(Buffer.from(tag, 'base64url'));
  return Buffer.concat([decipher.update(Buffer.from(ciphertext, 'base64url')), decipher.final()]).toString();
}

describe('the test vectors', () => {
  it('are what the script makes: a second run changes nothing', async () => {
    expect(await makeVectors({ check: true })).toEqual([]);
  });

  it('have keys whose halves fit and whose thumbprints are right', () => {
    for (const { jwk, pkcs8, spki, thumbprint } of Object.values(files.keys)) {
      expect(createPrivateKey({ key: jwk, format: 'jwk' }).equals(createPrivateKey(pkcs8))).toBe(true);
      expect(spkiDer(createPrivateKey(pkcs8)).toString('hex')).toBe(spki);
      expect(jwkThumbprint(publicJwk(createPrivateKey(pkcs8)))).toBe(thumbprint);
    }
  });

  it('have certificates for the keys that they name', () => {
    for (const { key: name, der, pem } of Object.values(files.certificates)) {
      const parsed = parseCertificate(Buffer.from(der, 'base64url'));
      expect(parsed.pem).toBe(pem);
      expect(parsed.spki.toString('hex')).toBe(files.keys[name]?.spki);
    }
  });

  it('have a hello that commits to the device key', () => {
    const message = parseMessage(hello, files.hello.bytes, LIMITS.hello, 'internal');
    expect(message.deviceKeyThumbprint).toBe(files.keys['device']?.thumbprint);
    expect(files.hello.helloHash).toBe(hash(files.hello.bytes));
  });

  it.each([
    ['challenge', files.challenge, TYP.challenge],
    ['grant', files.grant, TYP.grant],
    ['confirm', files.confirm, TYP.confirm],
    ['device status', files.deviceStatus, TYP.deviceStatus],
    ['renewal', files.renewal, TYP.renewal],
    ['answer to it', files.renewed, TYP.renewed],
    ['support bundle', files.bundle, TYP.bundle],
    ['recovery key', files.recoveryKey, TYP.recoveryKey],
    ['receipt for it', files.receipt, TYP.escrowReceipt],
  ] as const)(
    'have a %s whose parts are those of its JWS, and whose signature another library takes',
    async (_name, file, typ) => {
      const signer = createPublicKey(key(file.key));
      const parsed = openCompact(file.jws, typ);
      expect(parsed.verify(signer)).toBe(true);
      expect(parsed.payload.toString()).toBe(file.payload);
      expect(JSON.parse(file.protectedHeader)).toEqual(parsed.header);
      expect(`${file.signingInput}.${file.signature}`).toBe(file.jws);
      const { payload, protectedHeader } = await compactVerify(file.jws, signer);
      expect(Buffer.from(payload).toString()).toBe(file.payload);
      expect(protectedHeader).toEqual(parsed.header);
      const raw = { key: signer, dsaEncoding: 'ieee-p1363' as const };
      expect(verify('sha256', Buffer.from(file.signingInput), raw, Buffer.from(file.signature, 'base64url'))).toBe(
        true,
      );
    },
  );

  it('have a recovery key that both of its recipients read, here and in another library', async () => {
    const { recipients, content, payload } = files.recoveryKey;
    expect((JSON.parse(payload) as { escrow: string[] }).escrow).toEqual(recipients.map(({ jwe }) => jwe));
    for (const { jwe, pkcs8, thumbprint, jwk } of recipients) {
      const recipient = createPrivateKey(pkcs8);
      expect((await openEscrow(escrowOpener(recipient), jwe, TYP.escrow)).toString()).toBe(content);
      const { plaintext, protectedHeader } = await compactDecrypt(jwe, recipient);
      expect(Buffer.from(plaintext).toString()).toBe(content);
      expect(protectedHeader['kid']).toBe(thumbprint);
      expect(await calculateJwkThumbprint(jwk as JWK)).toBe(thumbprint);
    }
  });

  it('have a challenge that the laptop takes, with its code', () => {
    expect(opened.hash.toString('base64url')).toBe(files.challenge.challengeHash);
    expect(files.challenge.challengeHash).toBe(hash(files.challenge.jws));
    expect(opened.code).toBe(files.code.code);
    const [helloHash, challengeHash] = [files.code.helloHash, files.code.challengeHash].map((hex) =>
      Buffer.from(hex, 'hex'),
    );
    expect(helloHash?.toString('base64url')).toBe(files.hello.helloHash);
    expect(challengeHash?.equals(opened.hash)).toBe(true);
    expect(sessionCode(helloHash ?? Buffer.alloc(0), challengeHash ?? Buffer.alloc(0))).toBe(files.code.code);
    const number = createHash('sha256').update(Buffer.from(files.code.input, 'hex')).digest().readBigUInt64BE();
    expect(String(number % 1_000_000n).padStart(6, '0')).toBe(files.code.code);
  });

  it('have a statement that the session’s key opens, here, by hand, and in another library', async () => {
    const { jwe, jws, statementHash } = files.statement;
    expect((await decryptWith(key('session'), jwe, TYP.statementEncrypted)).toString()).toBe(jws);
    expect(decryptByHand(jwe, key('session'))).toBe(jws);
    expect(Buffer.from((await compactDecrypt(jwe, key('session'))).plaintext).toString()).toBe(jws);
    expect(statementHash).toBe(hash(jwe));
  });

  it('have a statement with the signatures of YubiKey and device over one payload', async () => {
    const { jws, payload, signatures } = files.statement;
    const general = openGeneral(jws, TYP.statement, LIMITS.statement);
    expect(general.payload.toString()).toBe(payload);
    const signers = [createPublicKey(key('yubikey')), createPublicKey(key('device'))];
    expect(
      general.signatures.map((signature, index) => signers[index] !== undefined && signature.verify(signers[index])),
    ).toEqual([true, true]);
    for (const [index, part] of signatures.entries()) {
      expect(JSON.parse(part.protectedHeader)).toEqual(general.signatures[index]?.header);
      const [header = '', encoded = ''] = part.signingInput.split('.');
      expect(Buffer.from(header, 'base64url').toString()).toBe(part.protectedHeader);
      expect(Buffer.from(encoded, 'base64url').toString()).toBe(payload);
      const raw = { key: key(part.key), dsaEncoding: 'ieee-p1363' as const };
      expect(verify('sha256', Buffer.from(part.signingInput), raw, Buffer.from(part.signature, 'base64url'))).toBe(
        true,
      );
    }
    for (const signer of signers) {
      const { payload: verified } = await generalVerify(JSON.parse(jws) as GeneralJWSInput, signer);
      expect(Buffer.from(verified).toString()).toBe(payload);
    }
  });

  it('have a statement that agrees with the other vectors', async () => {
    const message = parseMessage(statementSchema, files.statement.payload, LIMITS.statement, 'internal');
    expect(message.challengeHash).toBe(files.challenge.challengeHash);
    expect(message.sessionId).toBe(opened.challenge.sessionId);
    expect(message.fingerprint).toEqual(V.vector('fingerprint', V.FINGERPRINT).message);
    expect(message.wireguardPublicKey).toBe(V.vector('wireguard-key', V.WIREGUARD_KEY).keys[0]?.publicKey);
    const csr = await readCsr(Buffer.from(message.csr, 'base64url'));
    expect(csr.cn).toBe('anna-laptop');
    expect(csr.spki.toString('hex')).toBe(files.keys['device']?.spki);
    const attested = verifyAttestation({
      attestation: parseCertificate(Buffer.from(message.yubikey.attestation, 'base64url')),
      issuer: parseCertificate(Buffer.from(message.yubikey.attestationIssuer, 'base64url')),
      roots: [certificate('yubicoRoot')],
    });
    expect(attested).toMatchObject({
      serial: message.yubikey.serial,
      slot: message.yubikey.slot,
      pinPolicy: 'once',
      touchPolicy: 'always',
    });
    expect(attested.spki.equals(certificate('enrollmentKey').spki)).toBe(true);
  });

  it('have a grant that the laptop takes', async () => {
    const checked = await checkGrant(files.grant.jwe, {
      deviceKey: fileDeviceKey(key('device'), 'device.key'),
      slug: 'acme',
      sessionId: opened.challenge.sessionId,
      statementHash: files.statement.statementHash,
      hostName: 'anna-laptop',
      customer: 'Acme GmbH',
      role: 'engineer',
      gateway: opened.gateway,
      intermediate: opened.intermediate,
      roots: [certificate('mspRoot')],
      now: NOW,
    });
    expect(checked.grant).toEqual(JSON.parse(files.grant.payload));
    expect(checked.hash).toBe(files.grant.grantHash);
    expect(decryptByHand(files.grant.jwe, key('device'))).toBe(files.grant.jws);
    expect(files.grant.grantHash).toBe(hash(files.grant.jwe));
  });

  it('have a confirmation of that grant', () => {
    const message = parseMessage(confirm, files.confirm.payload, LIMITS.confirm, 'internal');
    expect(message.grantHash).toBe(files.grant.grantHash);
    expect(openCompact(files.confirm.jws, TYP.confirm).header.kid).toBe(files.keys['device']?.thumbprint);
  });

  it('have the answer to that confirmation', () => {
    const { intermediate, mspRoot } = files.certificates;
    if (intermediate === undefined || mspRoot === undefined) throw new TypeError('vectors');
    const { status } = openDeviceStatus(files.deviceStatus.jws, {
      request: files.confirm.jws,
      now: Date.parse('2026-03-01T12:01:00.000Z'),
      deviceId: (JSON.parse(files.confirm.payload) as { deviceId: string }).deviceId,
      slice: { intermediate: parseCertificate(intermediate.pem), roots: [parseCertificate(mspRoot.pem)] },
    });
    expect(status).toEqual(JSON.parse(files.deviceStatus.payload));
  });

  it('have a next intermediate, under which the answer to that confirmation is believed as well', async () => {
    const jws = await signCompact({
      typ: TYP.deviceStatus,
      payload: files.deviceStatus.payload,
      signer: keySigner(key('gateway')),
      x5c: [certificate('nextGateway').der, certificate('nextIntermediate').der],
    });
    const { status } = openDeviceStatus(jws, {
      request: files.confirm.jws,
      deviceId: (JSON.parse(files.confirm.payload) as { deviceId: string }).deviceId,
      now: Date.parse('2026-03-01T12:01:00.000Z'),
      slice: { intermediate: certificate('intermediate'), roots: [certificate('mspRoot')] },
    });
    expect(status.state).toBe('active');
  });
});
