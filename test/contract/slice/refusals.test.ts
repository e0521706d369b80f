import { randomBytes, randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url } from '../../../src/core/bytes.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { DAY, issueCertificate, YEAR } from '../../../src/pki/issue.ts';
import { encryptTo } from '../../../src/pki/jwe.ts';
import { signGeneral } from '../../../src/pki/jws.ts';
import { generateP256, publicJwk } from '../../../src/pki/keys.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { EKU, enrollmentUri } from '../../../src/pki/roles.ts';
import { MEDIA, TYP } from '../../../src/protocol/common.ts';
import { makeSoftwareYubikey, makeTestMaker } from '../../fakes/slice/software-yubikey.ts';
import {
  fingerprintOf,
  newHello,
  newLaptop,
  newMachine,
  PATHS,
  sendHello,
  sendStatement,
  type Answer,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, enroll, livingDevices, seal, start, type Started } from './enrolling.ts';

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 20_000_001 });
});
afterAll(() => slice.remove());

const flip = (text: string): string => (text.startsWith('A') ? `B${text.slice(1)}` : `A${text.slice(1)}`);

/** Sends what `change` made of an honest statement, signed and sealed as usual. */
const withStatement =
  (
    change: (started: Started) => void | Promise<void>,
    by: () => Promise<ProvisionedKey> | ProvisionedKey = () => key,
  ) =>
  async (): Promise<Answer> => {
    const signer = await by();
    const started = await start(slice, signer);
    await change(started);
    return sendStatement(slice.gateway, started.sessionId, await seal(started, signer));
  };

/** A certificate that looks like an enrollment certificate, for the key of `from`, issued by whoever `issue` says. */
const lookAlike = async (
  from: ProvisionedKey,
  more: { issuer?: Parameters<typeof issueCertificate>[0]['issuer']; notAfter?: Date } = {},
): Promise<ProvisionedKey> => {
  const certificate = await issueCertificate({
    subject: { cn: `KiwiStack enrollment ${from.serial}`, o: 'Acme GmbH', ou: 'engineer' },
    key: from.key,
    ...(more.issuer === undefined ? {} : { issuer: more.issuer }),
    notBefore: new Date(Date.now() - 2 * DAY),
    notAfter: more.notAfter ?? new Date(Date.now() + YEAR),
    extendedKeyUsages: [EKU.enrollmentKey],
    sanUris: [enrollmentUri('acme'), slice.running.context.config.gateway.url],
  });
  return { ...from, chain: [certificate, slice.running.context.identity.intermediate] };
};

const intermediate = async (): Promise<NonNullable<Parameters<typeof issueCertificate>[0]['issuer']>> => {
  const { createPrivateKey } = await import('node:crypto');
  const { readFile } = await import('node:fs/promises');
  return {
    certificate: slice.running.context.identity.intermediate,
    key: createPrivateKey(await readFile(slice.paths.ca.key)),
  };
};

const STATEMENTS: readonly [string, ErrorCode, () => Promise<Answer>][] = [
  ['for another customer', 'statement-mismatch', withStatement(({ statement }) => void (statement.slug = 'other'))],
  [
    'for another session',
    'statement-mismatch',
    withStatement(({ statement }) => void (statement.sessionId = randomUUID())),
  ],
  [
    'for another challenge',
    'statement-mismatch',
    withStatement(({ statement }) => void (statement.challengeHash = base64url(randomBytes(32)))),
  ],
  [
    'whose request is for another key',
    'csr-refused',
    withStatement(async ({ statement }) => void (statement.csr = base64url(await makeCsr(generateP256(), 'x')))),
  ],
  [
    'whose request is no request',
    'csr-refused',
    withStatement(({ statement }) => void (statement.csr = base64url(Buffer.from('no request')))),
  ],
  [
    'whose request is not signed by its key',
    'csr-refused',
    withStatement(({ statement }) => {
      const der = Buffer.from(statement.csr, 'base64url');
      der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
      statement.csr = base64url(der);
    }),
  ],
  [
    'that claims another serial than is attested',
    'attestation-serial-refused',
    withStatement(({ statement }) => void (statement.yubikey.serial = 20_000_002)),
  ],
  [
    'that claims another slot than is attested',
    'attestation-slot-refused',
    withStatement(({ statement }) => void (statement.yubikey.slot = '9a')),
  ],
  [
    'attested by another maker',
    'attestation-refused',
    withStatement(async ({ statement }) => {
      const other = await makeSoftwareYubikey(await makeTestMaker(), { serial: key.serial, attestedKey: key.key });
      statement.yubikey.attestation = base64url(other.attestation.der);
      statement.yubikey.attestationIssuer = base64url(other.attestationIssuer.der);
    }),
  ],
  [
    'with the attestation of another key',
    'attestation-refused',
    withStatement(async ({ statement }) => {
      const other = await makeSoftwareYubikey(slice.maker, { serial: key.serial });
      statement.yubikey.attestation = base64url(other.attestation.der);
      statement.yubikey.attestationIssuer = base64url(other.attestationIssuer.der);
    }),
  ],
  [
    'whose attestation is no certificate',
    'attestation-refused',
    withStatement(({ statement }) => void (statement.yubikey.attestation = base64url(Buffer.from('no')))),
  ],
  [
    'by a key that is not registered',
    'yubikey-unregistered',
    withStatement(
      () => undefined,
      () => slice.provision({ serial: 20_000_010 }, { register: false }),
    ),
  ],
  [
    'by a registered YubiKey with another key in it',
    'yubikey-unregistered',
    withStatement(
      () => undefined,
      async () => {
        await slice.provision({ serial: 20_000_011 });
        return slice.provision({ serial: 20_000_011 }, { register: false });
      },
    ),
  ],
  [
    'by a burned key',
    'yubikey-burned',
    withStatement(
      () => undefined,
      async () => {
        const burned = await slice.provision({ serial: 20_000_012 });
        await slice.running.context.registry.burnYubikey(burned.serial, 'lost', Date.now(), {
          requestId: 'test',
          actor: 'test',
          action: 'yubikey.burn',
          decision: 'allowed',
        });
        return burned;
      },
    ),
  ],
  [
    'by a key whose certificate is revoked',
    'key-certificate-revoked',
    withStatement(
      () => undefined,
      async () => {
        const revoked = await slice.provision({ serial: 20_000_013 });
        await slice.running.context.registry.wantRevocation(revoked.chain[0]?.serialHex ?? '', 'replaced');
        return revoked;
      },
    ),
  ],
  [
    'by a key that asks for no touch',
    'policy-refused',
    withStatement(
      () => undefined,
      () => slice.provision({ serial: 20_000_014, touch: 1 }),
    ),
  ],
  [
    'by a key that asks for no PIN',
    'policy-refused',
    withStatement(
      () => undefined,
      () => slice.provision({ serial: 20_000_015, pin: 1 }),
    ),
  ],
  [
    'by a software key with a self-made certificate',
    'key-chain-refused',
    withStatement(
      () => undefined,
      () => lookAlike(key),
    ),
  ],
  [
    'by a key of another customer of the same provider',
    'key-chain-refused',
    withStatement(
      () => undefined,
      async () => {
        const other = generateP256();
        const certificate = await issueCertificate({
          subject: { cn: 'KiwiStack other intermediate', o: 'Other' },
          key: other,
          issuer: { certificate: slice.running.context.identity.mspRoot, key: await mspKey() },
          notBefore: new Date(Date.now() - DAY),
          notAfter: new Date(Date.now() + YEAR),
          ca: { pathLength: 0 },
        });
        return lookAlike(key, { issuer: { certificate, key: other } });
      },
    ),
  ],
  [
    'by a key whose certificate is out of date',
    'key-certificate-expired',
    withStatement(
      () => undefined,
      async () => lookAlike(key, { issuer: await intermediate(), notAfter: new Date(Date.now() - DAY) }),
    ),
  ],
  [
    'by a key whose certificate was never registered',
    'yubikey-unregistered',
    withStatement(
      () => undefined,
      async () => lookAlike(key, { issuer: await intermediate() }),
    ),
  ],
  [
    "with the gateway's certificate instead of a YubiKey's",
    'key-chain-refused',
    withStatement(
      () => undefined,
      async () => {
        const { grantCertificate } = slice.running.context.identity;
        const { createPrivateKey } = await import('node:crypto');
        const { readFile } = await import('node:fs/promises');
        const signer = keySigner(createPrivateKey(await readFile(slice.paths.gateway.key)));
        return { ...key, signer, chain: [grantCertificate] };
      },
    ),
  ],
  [
    'signed by another key than the certificate is for',
    'key-signature-refused',
    withStatement(
      () => undefined,
      () => ({ ...key, signer: keySigner(generateP256()) }),
    ),
  ],
  [
    'with another device key than the hello committed to',
    'device-signature-refused',
    async () => {
      const started = await start(slice, key);
      const other = { ...started, laptop: newLaptop() };
      return sendStatement(slice.gateway, started.sessionId, await seal(other, key));
    },
  ],
  [
    'with one signature',
    'request-malformed',
    async () => {
      const { statement, challenge, sessionId } = await start(slice, key);
      const x5c = key.chain.map((certificate) => certificate.der);
      const jws = await signGeneral({
        payload: JSON.stringify(statement),
        signatures: [{ typ: TYP.statement, signer: key.signer, x5c }],
      });
      const jwe = await encryptTo(challenge.content.encryptionKey, jws, TYP.statementEncrypted);
      return sendStatement(slice.gateway, sessionId, jwe);
    },
  ],
  [
    'whose device signature is of another payload',
    'device-signature-refused',
    async () => {
      const { statement, challenge, sessionId, laptop } = await start(slice, key);
      const sign = (payload: object): Promise<string> =>
        signGeneral({
          payload: JSON.stringify(payload),
          signatures: [
            { typ: TYP.statement, signer: key.signer, x5c: key.chain.map((certificate) => certificate.der) },
            { typ: TYP.statement, signer: keySigner(laptop.deviceKey), jwk: publicJwk(laptop.deviceKey) },
          ],
        });
      type General = { payload: string; signatures: unknown[] };
      const honest = JSON.parse(await sign(statement)) as General;
      const other = JSON.parse(await sign({ ...statement, slug: 'other' })) as General;
      const mixed = { payload: honest.payload, signatures: [honest.signatures[0], other.signatures[1]] };
      const jwe = await encryptTo(challenge.content.encryptionKey, JSON.stringify(mixed), TYP.statementEncrypted);
      return sendStatement(slice.gateway, sessionId, jwe);
    },
  ],
  [
    'with the same field twice',
    'request-malformed',
    async () => {
      const { statement, challenge, sessionId, laptop } = await start(slice, key);
      const twice = JSON.stringify(statement).replace('{', '{"slug":"acme",');
      const jws = await signGeneral({
        payload: twice,
        signatures: [
          { typ: TYP.statement, signer: key.signer, x5c: key.chain.map((certificate) => certificate.der) },
          { typ: TYP.statement, signer: keySigner(laptop.deviceKey), jwk: publicJwk(laptop.deviceKey) },
        ],
      });
      const jwe = await encryptTo(challenge.content.encryptionKey, jws, TYP.statementEncrypted);
      return sendStatement(slice.gateway, sessionId, jwe);
    },
  ],
  [
    'with a field that nobody knows',
    'request-malformed',
    withStatement((started) => void (started.statement = Object.assign({ admin: true }, started.statement))),
  ],
  [
    'that is encrypted to another key',
    'statement-undecryptable',
    async () => {
      const started = await start(slice, key);
      const other = { ...started.challenge.content, encryptionKey: publicJwk(generateP256()) };
      const challenge = { ...started.challenge, content: other };
      return sendStatement(slice.gateway, started.sessionId, await seal({ ...started, challenge }, key));
    },
  ],
  [
    'one byte of which was changed on the way',
    'statement-undecryptable',
    async () => {
      const started = await start(slice, key);
      const parts = (await seal(started, key)).split('.');
      parts[3] = flip(parts[3] ?? '');
      return sendStatement(slice.gateway, started.sessionId, parts.join('.'));
    },
  ],
  [
    'whose fingerprint has another digest',
    'fingerprint-refused',
    withStatement(({ statement }) => void (statement.fingerprint.digest = base64url(randomBytes(32)))),
  ],
  [
    'whose fingerprint says too little',
    'fingerprint-refused',
    withStatement(({ statement, challenge }) => {
      statement.fingerprint = fingerprintOf({ uuid: randomUUID(), cpu: 'x' }, challenge.content.fingerprintSalt);
    }),
  ],
  [
    'for a consent that is none',
    'consent-refused',
    withStatement(({ statement }) => void (statement.consentId = randomUUID())),
  ],
  ['for a session that is unknown', 'session-unknown', () => sendStatement(slice.gateway, randomUUID(), 'e.e.e.e.e')],
  [
    'for a session that is over',
    'session-expired',
    async () => {
      const started = await start(slice, key);
      slice.clock.offsetMs = 301_000;
      try {
        return await sendStatement(slice.gateway, started.sessionId, await seal(started, key));
      } finally {
        slice.clock.offsetMs = 0;
      }
    },
  ],
  [
    'that is no JWE',
    'request-malformed',
    async () => sendStatement(slice.gateway, (await start(slice, key)).sessionId, 'x'),
  ],
  [
    'that is too large',
    'request-too-large',
    async () => sendStatement(slice.gateway, (await start(slice, key)).sessionId, 'x'.repeat(97 * 1024)),
  ],
];

async function mspKey() {
  const { createPrivateKey } = await import('node:crypto');
  const { readFile } = await import('node:fs/promises');
  return createPrivateKey(await readFile(slice.paths.msp.key));
}

describe('a statement', () => {
  test.each(STATEMENTS)('%s is refused with %s and leaves nothing', async (_name, code, send) => {
    const before = await livingDevices(slice);
    const answer = await send();
    expect(codeOf(answer), answer.body).toBe(code);
    expect(await livingDevices(slice)).toEqual(before);
    expect(slice.endpoint.peers.size).toBe(before.length);
    const [record] = await slice.running.context.registry.listAudit(1);
    const { requestId } = JSON.parse(answer.body) as { requestId: string };
    expect(answer.headers['x-request-id']).toBe(requestId);
    expect({ code: record?.code, requestId: record?.requestId }).toEqual({ code, requestId });
  });
});

describe('a laptop that is known', () => {
  test('is refused without consent, and its first enrollment stays', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    await slice.running.context.registry.confirm(first.grant.deviceId, 'x', Date.now(), audit);
    const second = await start(slice, key, newLaptop({ machine: laptop.machine }));
    const answer = await sendStatement(slice.gateway, second.sessionId, await seal(second, key));
    expect(codeOf(answer)).toBe('fingerprint-known');
    expect((await slice.running.context.registry.findDevice(first.grant.deviceId))?.state).toBe('active');
  });

  test('takes its own place with consent; the old registration ends', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    const { registry } = slice.running.context;
    await registry.confirm(first.grant.deviceId, 'x', Date.now(), audit);
    const consent = {
      id: randomUUID(),
      deviceId: first.grant.deviceId,
      createdAt: Date.now(),
      expiresAt: Date.now() + 3_600_000,
    };
    await registry.addConsent(consent, audit);
    const again = newLaptop({ machine: laptop.machine, hostName: laptop.hostName });
    const second = await start(slice, key, again);
    second.statement.consentId = consent.id;
    second.statement.priorDeviceId = first.grant.deviceId;
    const answer = await sendStatement(slice.gateway, second.sessionId, await seal(second, key));
    expect(codeOf(answer), answer.body).toBe('ok');
    const old = await registry.findDevice(first.grant.deviceId);
    expect([old?.state, old?.endReason]).toEqual(['ended', 'superseded']);
    expect(slice.endpoint.peers.has(laptop.wireguardPublicKey)).toBe(false);
    expect(slice.endpoint.peers.has(again.wireguardPublicKey)).toBe(true);
    // A consent is good once.
    const third = await start(slice, key, newLaptop({ machine: laptop.machine }));
    third.statement.consentId = consent.id;
    const refused = await sendStatement(slice.gateway, third.sessionId, await seal(third, key));
    expect(codeOf(refused)).toBe('consent-refused');
  });

  test('may try again with the same key when its enrollment was never confirmed', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    const second = await enroll(slice, key, newLaptop({ machine: laptop.machine, hostName: laptop.hostName }));
    expect(second.grant.hostName).toBe(laptop.hostName);
    expect((await slice.running.context.registry.findDevice(first.grant.deviceId))?.state).toBe('ended');
  });

  test('as a copy of another (equal UUID, other components different) raises an alarm that names both', async () => {
    const laptop = newLaptop();
    const first = await enroll(slice, key, laptop);
    const copy = newLaptop({ machine: { ...newMachine(), uuid: laptop.machine.uuid ?? '' } });
    const second = await start(slice, key, copy);
    const answer = await sendStatement(slice.gateway, second.sessionId, await seal(second, key));
    expect(codeOf(answer)).toBe('fingerprint-clone');
    const records = await slice.running.context.registry.listAudit(2);
    const alarm = records.find((record) => record.decision === 'alarm');
    expect(alarm?.deviceId).toBe(first.grant.deviceId);
    expect(alarm?.why).toContain(second.sessionId);
    expect(alarm?.why).toContain(first.grant.deviceId);
  });

  test('by its keys on another machine is a clone', async () => {
    const laptop = newLaptop();
    await enroll(slice, key, laptop);
    const copy = await start(slice, key, { ...laptop, machine: newMachine() });
    const answer = await sendStatement(slice.gateway, copy.sessionId, await seal(copy, key));
    expect(codeOf(answer)).toBe('fingerprint-clone');
  });

  test('gets a suffix when another laptop has its name', async () => {
    const laptop = newLaptop();
    await enroll(slice, key, laptop);
    const other = await enroll(slice, key, newLaptop({ hostName: laptop.hostName }));
    expect(other.grant.hostName).toMatch(new RegExp(`^${laptop.hostName}-[0-9a-f]{4}$`));
    const leaf = parseCertificate(Buffer.from(other.grant.certificate.chain[0] ?? '', 'base64url'));
    expect(leaf.subject.cn).toBe(other.grant.hostName);
    expect(leaf.sanDns).toEqual([other.grant.hostName]);
  });
});

const audit = { requestId: 'test', actor: 'test', action: 'test', decision: 'allowed' } as const;

const HELLOS: readonly [string, ErrorCode, () => Promise<Answer>][] = [
  [
    'of another protocol',
    'protocol-unsupported',
    () => post(JSON.stringify({ ...newHello(newLaptop()), protocol: 'kiwi/2' })),
  ],
  ['of an old agent', 'agent-too-old', () => post(JSON.stringify({ ...newHello(newLaptop()), agentVersion: '0.0.9' }))],
  ['that is not JSON', 'request-malformed', () => post('{')],
  [
    'with a field twice',
    'request-malformed',
    () => post(JSON.stringify(newHello(newLaptop())).replace('{', '{"protocol":"kiwi/1",')),
  ],
  ['that is too large', 'request-too-large', () => post(' '.repeat(5000))],
  ['with another content type', 'request-malformed', () => post(JSON.stringify(newHello(newLaptop())), 'text/plain')],
];
const post = (body: string, type: string = MEDIA.json): Promise<Answer> =>
  slice.gateway.send('POST', PATHS.hello, type, body);

describe('a hello', () => {
  test.each(HELLOS)('%s is refused with %s', async (_name, code, send) => {
    const answer = await send();
    expect(codeOf(answer)).toBe(code);
    expect(answer.body).not.toMatch(/\bat \w+ \(|node:|\/src\//);
  });

  test('gets the same challenge again; another hello of the same attempt does not', async () => {
    const hello = newHello(newLaptop());
    const [first, second] = [await sendHello(slice.gateway, hello), await sendHello(slice.gateway, hello)];
    expect(second.body).toBe(first.body);
    const other = await sendHello(slice.gateway, { ...hello, clientNonce: base64url(randomBytes(32)) });
    expect(codeOf(other)).toBe('attempt-conflict');
  });
});

test('a path that does not exist is refused in the same shape', async () => {
  expect(codeOf(await slice.gateway.send('GET', '/etc/passwd'))).toBe('not-found');
  expect(codeOf(await slice.gateway.send('GET', '/%ff'))).toBe('request-malformed');
});
