import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { ecdsaToDer } from '../../../src/pki/ecdsa-signature.ts';
import * as V from '../../vectors/vector.ts';

/*
 * The vectors as other programs see them. Nothing of ours computes what is compared here, and a program that is missing is a failure.
 */

const OPENSSL = '/usr/bin/openssl';
const WG = '/usr/bin/wg';
const PYTHON = '/usr/bin/python3';

const folder = mkdtempSync(path.join(tmpdir(), 'kiwi-vectors-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const full = path.join(folder, name);
  writeFileSync(full, content);
  return full;
}

const run = (program: string, args: readonly string[], input?: string | Uint8Array): Buffer =>
  execFileSync(program, args, { ...(input === undefined ? {} : { input }), stdio: ['pipe', 'pipe', 'pipe'] });

const { keys } = V.vector('keys', V.KEYS);
const { certificates } = V.vector('certificates', V.CERTIFICATES);

describe('OpenSSL', () => {
  const statement = V.vector('statement', V.STATEMENT);
  const signed = [
    ['challenge', V.vector('challenge', V.CHALLENGE)],
    ['grant', V.vector('grant', V.GRANT)],
    ['confirm', V.vector('confirm', V.CONFIRM)],
    ['device status', V.vector('device-status', V.DEVICE_STATUS)],
    ...statement.signatures.map((part) => [`statement by the ${part.key}`, part] as const),
  ] as const;

  it.each(signed)(
    'verifies the signature of the %s over its signing input',
    (_name, { key, signingInput, signature }) => {
      const publicKey = file('public.pem', run(OPENSSL, ['pkey', '-pubout'], keys[key]?.pkcs8));
      const der = file('signature.der', ecdsaToDer(Buffer.from(signature, 'base64url')));
      const args = ['dgst', '-sha256', '-verify', publicKey, '-signature', der];
      expect(run(OPENSSL, args, signingInput).toString()).toContain('Verified OK');
      expect(() => run(OPENSSL, args, `${signingInput}x`)).toThrow();
    },
  );

  it('verifies the chains', () => {
    const pem = (name: string): string => certificates[name]?.pem ?? '';
    const root = file('root.pem', pem('mspRoot'));
    const intermediate = file('intermediate.pem', pem('intermediate'));
    for (const name of ['gateway', 'enrollmentKey', 'device']) {
      const leaf = file('leaf.pem', pem(name));
      const args = [
        'verify',
        '-attime',
        '1772366410',
        '-x509_strict',
        '-CAfile',
        root,
        '-untrusted',
        intermediate,
        leaf,
      ];
      expect(run(OPENSSL, args).toString()).toContain('OK');
    }
    const maker = file('maker.pem', pem('yubicoRoot'));
    const f9 = file('f9.pem', pem('attestationIssuer'));
    const args = [
      'verify',
      '-attime',
      '1772366410',
      '-CAfile',
      maker,
      '-untrusted',
      f9,
      file('attestation.pem', pem('attestation')),
    ];
    expect(run(OPENSSL, args).toString()).toContain('OK');
  });

  it('takes the certificate request', () => {
    const text = run(
      OPENSSL,
      ['req', '-inform', 'DER', '-noout', '-verify', '-subject'],
      Buffer.from(statement.csr, 'base64url'),
    );
    expect(text.toString()).toContain('CN = anna-laptop');
  });

  it('derives the WireGuard key: ECDH with Q, then HKDF', () => {
    const vector = V.vector('wireguard-key', V.WIREGUARD_KEY);
    const device = file('device.pem', vector.devicePrivateKey);
    const shared = run(OPENSSL, ['pkeyutl', '-derive', '-inkey', device, '-peerkey', file('q.pem', vector.qPem)]);
    expect(shared.toString('hex')).toBe(vector.ecdhX);
    const q = run(OPENSSL, ['pkey', '-pubin', '-outform', 'DER'], vector.qPem);
    expect(q.subarray(-65).toString('hex')).toBe(vector.q);
    const spki = run(OPENSSL, ['pkey', '-in', device, '-pubout', '-outform', 'DER']);
    expect(spki.toString('hex')).toBe(vector.deviceSpki);
    const salt = run(OPENSSL, ['dgst', '-sha256', '-binary'], spki).toString('hex');
    expect(salt).toBe(vector.salt);
    for (const { info, okm } of vector.keys) {
      const options = ['digest:SHA256', `hexkey:${shared.toString('hex')}`, `hexsalt:${salt}`, `hexinfo:${info}`];
      const args = ['kdf', '-keylen', '32', '-binary', ...options.flatMap((option) => ['-kdfopt', option]), 'HKDF'];
      expect(run(OPENSSL, args).toString('hex')).toBe(okm);
    }
  });
});

describe('wg', () => {
  it('has the same public keys, and takes the private keys as they are', () => {
    for (const { privateKey, publicKey } of V.vector('wireguard-key', V.WIREGUARD_KEY).keys) {
      expect(run(WG, ['pubkey'], `${privateKey}\n`).toString().trim()).toBe(publicKey);
    }
  });
});

/** Reads a vector file on stdin and prints what it computed as JSON; nothing but Python's standard library. */
const python = (script: string, name: string): unknown =>
  JSON.parse(
    run(PYTHON, ['-I', '-c', script, path.join(import.meta.dirname, '../../vectors', `${name}.json`)]).toString(),
  );

describe('Python', () => {
  it('finds the session code', () => {
    const script = `
import hashlib, json, sys
v = json.load(open(sys.argv[1]))
h = hashlib.sha256(b"kiwi/1 session code\\x00" + bytes.fromhex(v["helloHash"]) + bytes.fromhex(v["challengeHash"])).digest()
print(json.dumps("%06d" % (int.from_bytes(h[:8], "big") % 10**6)))
`;
    expect(python(script, 'session-code')).toBe(V.vector('session-code', V.SESSION_CODE).code);
  });

  it('finds the HMACs and the digest of the fingerprint', () => {
    const script = `
import base64, hashlib, hmac, json, sys
v = json.load(open(sys.argv[1], encoding="utf-8"))
b64 = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=").decode()
salt = bytes.fromhex(v["salt"])
seen = {(x["kind"], b64(hmac.new(salt, x["kind"].encode() + b"\\x00" + x["normalised"].encode(), hashlib.sha256).digest()))
        for x in v["values"] if x["normalised"] is not None}
identity = ("uuid", "system-serial", "board-serial", "chassis-serial", "tpm-ek")
text = "\\n".join(sorted(k + ":" + h for k, h in seen if k in identity))
print(json.dumps({"components": sorted([k, h] for k, h in seen), "digest": b64(hashlib.sha256(text.encode()).digest())}))
`;
    const { message } = V.vector('fingerprint', V.FINGERPRINT);
    expect(python(script, 'fingerprint')).toEqual({
      components: message.components
        .map(({ kind, hmac }) => [kind, hmac])
        .sort((a, b) => (a.join() < b.join() ? -1 : 1)),
      digest: message.digest,
    });
  });

  it('finds hello hash, challenge hash, statement hash, grant hash and thumbprint', () => {
    const hash = (name: string, member: string): unknown =>
      python(
        `
import base64, hashlib, json, sys
v = json.load(open(sys.argv[1], encoding="utf-8"))
print(json.dumps(base64.urlsafe_b64encode(hashlib.sha256(v["${member}"].encode()).digest()).rstrip(b"=").decode()))
`,
        name,
      );
    expect(hash('hello', 'bytes')).toBe(V.vector('hello', V.HELLO).helloHash);
    expect(hash('challenge', 'jws')).toBe(V.vector('challenge', V.CHALLENGE).challengeHash);
    expect(hash('statement', 'jwe')).toBe(V.vector('statement', V.STATEMENT).statementHash);
    expect(hash('grant', 'jwe')).toBe(V.vector('grant', V.GRANT).grantHash);
    expect(hash('thumbprint', 'input')).toBe(V.vector('thumbprint', V.THUMBPRINT).thumbprint);
  });
});
