import { createPrivateKey, randomUUID, type KeyObject } from 'node:crypto';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Agent, request } from 'undici';

import { digest } from '../../../src/core/bytes.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import { parseCertificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { provisionerExtension, PROVISIONER_EXTENSION } from '../../../src/slice/ca/provisioner-extension.ts';
import { reap, reconcilePeers } from '../../../src/slice/upkeep/reap.ts';
import type { SliceContext } from '../../../src/slice/slice-context.ts';
import { grantDevice } from '../../../src/slice/enrollment/grant-device.ts';
import { BY_YUBIKEY } from '../../../src/slice/enrollment/validate-statement.ts';
import {
  newLaptop,
  PATHS,
  readStatus,
  sendConfirm,
  sendLeave,
  sendStatement,
  sendStatus,
  signDeviceMessage,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, enroll, livingDevices, readText, seal, start } from './enrolling.ts';

const run = promisify(execFile);

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice({ init: { confirmSeconds: 3600 } });
  key = await slice.provision({ serial: 30_000_001 });
});
afterAll(() => slice.remove());

const context = (): SliceContext => slice.running.context;
const device = (id: string) => context().registry.findDevice(id);

describe('a grant', () => {
  test('is byte for byte the same for the same statement, until it is confirmed', async () => {
    const first = await enroll(slice, key);
    const again = await sendStatement(slice.gateway, first.sessionId, first.jwe);
    expect(again.body === first.grantJwe).toBe(true);
    await slice.restart();
    const later = await sendStatement(slice.gateway, first.sessionId, first.jwe);
    expect(later.body === first.grantJwe).toBe(true);
    expect(codeOf(await sendStatement(slice.gateway, first.sessionId, await seal(first, key)))).toBe(
      'attempt-conflict',
    );
    expect(codeOf(await sendConfirm(slice.gateway, first.laptop, first.grant.deviceId, first.grantJwe))).toBe('ok');
    expect(codeOf(await sendStatement(slice.gateway, first.sessionId, first.jwe))).toBe('session-used');
  });

  test('is issued once for a statement that arrives several times at once', async () => {
    const started = await start(slice, key);
    const jwe = await seal(started, key);
    const answers = await Promise.all([1, 2, 3].map(() => sendStatement(slice.gateway, started.sessionId, jwe)));
    expect(new Set(answers.map((answer) => answer.body)).size).toBe(1);
    const named = (await livingDevices(slice)).filter((name) => name === started.laptop.hostName);
    expect(named).toHaveLength(1);
  });

  test('leaves no session key behind', async () => {
    const { sessionId } = await enroll(slice, key);
    expect((await context().registry.findSession(sessionId))?.privateKey).toBeNull();
  });

  test('is completed by the next resend when the earlier run was interrupted', async () => {
    const started = await start(slice, key);
    const jwe = await seal(started, key);
    // The process "dies" after the reservation: nothing that follows happens, not even the rollback.
    const never = new Promise<never>(() => undefined);
    const dying: SliceContext = { ...context(), ca: { ...context().ca, sign: () => never } };
    void grantDevice(
      dying,
      started.sessionId,
      Buffer.from(jwe),
      { requestId: 'dying', remote: 'test', action: 'enrollment.grant' },
      BY_YUBIKEY,
    );
    await expect
      .poll(async () => (await context().registry.findSession(started.sessionId))?.usedAt ?? null)
      .not.toBeNull();
    await slice.restart();
    const answer = await sendStatement(slice.gateway, started.sessionId, jwe);
    expect(codeOf(answer), answer.body).toBe('ok');
    const named = (await livingDevices(slice)).filter((name) => name === started.laptop.hostName);
    expect(named).toHaveLength(1);
  });
});

describe('while a part is down', () => {
  const rolledBack = async (code: string, breakIt: () => void | Promise<void>, mend: () => void | Promise<void>) => {
    const before = await livingDevices(slice);
    const started = await start(slice, key);
    const jwe = await seal(started, key);
    await breakIt();
    const refused = await sendStatement(slice.gateway, started.sessionId, jwe);
    expect(codeOf(refused)).toBe(code);
    expect(await livingDevices(slice)).toEqual(before);
    expect((await context().registry.findSession(started.sessionId))?.usedAt).toBeNull();
    await mend();
    const answer = await sendStatement(slice.gateway, started.sessionId, jwe);
    expect(codeOf(answer), answer.body).toBe('ok');
  };

  test('the endpoint: nothing is used up, and the issued certificate is revoked', async () => {
    await rolledBack(
      'endpoint-unavailable',
      () => void (slice.endpoint.down = true),
      () => void (slice.endpoint.down = false),
    );
    expect((await context().registry.revocationsWanted(10)).length).toBeGreaterThan(0);
    await reap(context());
    expect(await context().registry.revocationsWanted(10)).toEqual([]);
  });

  test('step-ca: nothing is used up, and step-ca is restarted after it was killed', async () => {
    const pid = slice.running.stepCaPid() ?? 0;
    await rolledBack(
      'ca-unavailable',
      async () => {
        process.kill(pid, 'SIGSTOP');
        process.kill(pid, 'SIGKILL');
        await expect.poll(() => context().ca.healthy()).toBe(false);
      },
      async () => {
        await expect.poll(() => context().ca.healthy()).toBe(true);
      },
    );
    expect(slice.running.stepCaPid()).not.toBe(pid);
  });
});

describe('a device', () => {
  test('becomes active by its confirmation, which may be repeated', async () => {
    const { laptop, grant, grantJwe } = await enroll(slice, key);
    for (let round = 0; round < 2; round++) {
      const answer = await sendConfirm(slice.gateway, laptop, grant.deviceId, grantJwe);
      expect(readStatus(answer)).toMatchObject({ state: 'active', fleet: null });
    }
  });

  test('is told its state in Fleet; while Fleet does not answer, it is not green', async () => {
    const { laptop, grant } = await enroll(slice, key);
    const answer = await sendStatus(slice.gateway, laptop, grant.deviceId);
    expect(readStatus(answer)).toMatchObject({ state: 'pending', fleet: { reachable: false, green: false } });
  });

  test('that does not confirm in time ends: certificate revoked; peer, fingerprint, address and name free', async () => {
    const { laptop, grant, grantJwe } = await enroll(slice, key);
    await reap({ ...context(), clock: { ...slice.clock, now: () => Date.now() + 3_601_000 } }).catch(() => undefined);
    expect((await device(grant.deviceId))?.endReason).toBe('unconfirmed');
    expect(slice.endpoint.peers.has(laptop.wireguardPublicKey)).toBe(false);
    expect(codeOf(await sendConfirm(slice.gateway, laptop, grant.deviceId, grantJwe))).toBe('device-ended');
    await reap(context());
    await expectRevoked(grant.certificate.chain[0] ?? '');
    expect((await enroll(slice, key, newLaptop({ machine: laptop.machine }))).grant.deviceId).not.toBe(grant.deviceId);
  });

  test('that deregisters ends, even if it sends the message twice', async () => {
    const { laptop, grant } = await enroll(slice, key);
    for (let round = 0; round < 2; round++) {
      const answer = await sendLeave(slice.gateway, laptop, grant.deviceId);
      expect(readStatus(answer)).toMatchObject({ state: 'ended', endReason: 'uninstalled' });
    }
    expect(slice.endpoint.peers.has(laptop.wireguardPublicKey)).toBe(false);
    await expectRevoked(grant.certificate.chain[0] ?? '');
  });

  test.each([
    ['by another key', 'device-signature-refused', {}, () => newLaptop()],
    [
      'with a time of ten minutes ago',
      'clock-skew',
      { timestamp: new Date(Date.now() - 600_000).toISOString() },
      undefined,
    ],
    ['for another device', 'request-malformed', { deviceId: randomUUID() }, undefined],
    ['for another grant', 'confirm-mismatch', { grantHash: digest('another') }, undefined],
  ] as const)('is not confirmed by a message %s (%s)', async (_name, code, change, by) => {
    const { laptop, grant, grantJwe } = await enroll(slice, key);
    const message = {
      protocol: PROTOCOL,
      deviceId: grant.deviceId,
      grantHash: digest(grantJwe),
      timestamp: new Date().toISOString(),
      ...change,
    };
    const jws = await signDeviceMessage(by?.() ?? laptop, TYP.confirm, message);
    const answer = await slice.gateway.send('POST', PATHS.device(grant.deviceId, 'confirm'), MEDIA.jose, jws);
    expect(codeOf(answer)).toBe(code);
    expect((await device(grant.deviceId))?.state).toBe('pending');
  });

  test('that is unknown counts as ended when it deregisters', async () => {
    const answer = readStatus(await sendLeave(slice.gateway, newLaptop(), randomUUID()));
    expect(answer).toMatchObject({ state: 'ended', endReason: null });
  });

  test('that is unknown is refused a status', async () => {
    expect(codeOf(await sendStatus(slice.gateway, newLaptop(), randomUUID()))).toBe('device-unknown');
  });
});

test('the endpoint is reconciled with the registry', async () => {
  await enroll(slice, key);
  const before = [...slice.endpoint.peers.keys()].sort();
  slice.endpoint.peers.clear();
  slice.endpoint.peers.set('stranger', {
    publicKey: 'stranger',
    presharedKey: '',
    address: '10.77.0.9',
    restricted: false,
  });
  await reconcilePeers(context());
  expect([...slice.endpoint.peers.keys()].sort()).toEqual(before);
});

describe('certificates from step-ca', () => {
  test('of a device have what the token says and nothing of the request but the key', async () => {
    const { laptop, grant } = await enroll(slice, key);
    const leaf = parseCertificate(Buffer.from(grant.certificate.chain[0] ?? '', 'base64url'));
    expect(leaf.subject).toEqual({ cn: laptop.hostName, o: 'Acme GmbH', ou: 'engineer' });
    expect(leaf.sanUris).toEqual([`urn:kiwistack:device:acme:${grant.deviceId}`]);
    expect(leaf.extendedKeyUsages).toEqual([EKU.clientAuth]);
    expect((leaf.notAfter.getTime() - leaf.notBefore.getTime()) / 3_600_000).toBeCloseTo(24, 1);
  });

  test('of a YubiKey have customer, gateway and role', () => {
    const [leaf] = key.chain;
    expect(leaf?.subject).toEqual({ cn: 'KiwiStack enrollment 30000001', o: 'Acme GmbH', ou: 'engineer' });
    expect(leaf?.sanUris).toEqual(['urn:kiwistack:customer:acme', context().config.gateway.url]);
    expect(leaf?.extendedKeyUsages).toEqual([EKU.enrollmentKey]);
  });

  // facts/smallstep.md, finding 1: step-ca renews and rekeys for anyone who has the key, past all our checks.
  test.each([
    [
      'device',
      async () => {
        const { laptop, grant } = await enroll(slice, key);
        const der = Buffer.from(grant.certificate.chain[0] ?? '', 'base64url');
        return { certificate: parseCertificate(der), key: laptop.deviceKey };
      },
    ],
    ['YubiKey', () => ({ certificate: key.chain[0], key: key.key })],
    [
      'gateway',
      () => ({
        certificate: context().identity.grantCertificate,
        key: createPrivateKey(readText(slice.paths.gateway.key)),
      }),
    ],
    // Go's TLS refuses the two above by their key usage alone; this one passes that and reaches the extension.
    [
      'gateway with clientAuth',
      () =>
        besideStepCa([
          {
            oid: PROVISIONER_EXTENSION,
            value: provisionerExtension('yubikey', context().config.ca.yubikeyKid),
          },
        ]),
    ],
  ] as const)('of a %s are neither renewed nor rekeyed', async (_kind, make) => {
    const { certificate, key: privateKey } = await make();
    for (const route of ['renew', 'rekey'] as const) {
      expect(await renewal(route, certificate?.pem ?? '', privateKey)).not.toBe(201);
    }
  });

  test('not issued by step-ca would be renewed without the extension: the tests above prevent a real attack', async () => {
    const { certificate, key: privateKey } = await besideStepCa([]);
    expect(await renewal('renew', certificate.pem, privateKey)).toBe(201);
    expect(await renewal('rekey', certificate.pem, privateKey)).toBe(201);
  });

  async function besideStepCa(extensions: readonly { oid: string; value: Uint8Array }[]) {
    const own = generateP256();
    const certificate = await issueCertificate({
      subject: { cn: 'beside' },
      key: own,
      issuer: { certificate: context().identity.intermediate, key: createPrivateKey(readText(slice.paths.ca.key)) },
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + 3_600_000),
      extendedKeyUsages: [EKU.clientAuth],
      extensions,
    });
    return { certificate, key: own };
  }

  /** @returns the HTTP status; 0 when not even the TLS handshake succeeded */
  async function renewal(route: 'renew' | 'rekey', certificate: string, privateKey: KeyObject): Promise<number> {
    const { config, identity } = context();
    const agent = new Agent({
      connect: {
        ca: identity.mspRoot.pem,
        cert: certificate + identity.intermediate.pem,
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      },
    });
    const csr = await makeCsr(generateP256(), 'x');
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${csr.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    const body = route === 'rekey' ? JSON.stringify({ csr: pem }) : '';
    try {
      const url = `https://127.0.0.1:${config.ca.port}/1.0/${route}`;
      const response = await request(url, { method: 'POST', dispatcher: agent, body });
      await response.body.dump();
      return response.statusCode;
    } catch {
      return 0;
    } finally {
      await agent.destroy();
    }
  }

  test('are refused without the claims of the template, and with a token of the other provisioner', async () => {
    const csr = await makeCsr(generateP256(), 'x');
    for (const claims of [{}, { device: 'x' }, { device: { host: 'x', role: '', customer: 'c', uri: 'urn:x' } }]) {
      const refused = context().ca.sign({ csr, subject: 'x', claims });
      await expect(refused).rejects.toSatisfy((error) => error instanceof KiwiError && error.code === 'csr-refused');
    }
  });
});

/**
 * step-ca's CRL names the serial, and OpenSSL therefore refuses the certificate: scope and distribution point match.
 */
async function expectRevoked(encoded: string): Promise<void> {
  const leaf = parseCertificate(Buffer.from(encoded, 'base64url'));
  const { identity, config } = context();
  const response = await request(`http://127.0.0.1:${config.ca.crlPort}/crl`);
  const at = (name: string): string => path.join(path.dirname(slice.dir), name);
  await writeFile(at('crl.der'), Buffer.from(await response.body.arrayBuffer()));
  await run('/usr/bin/openssl', ['crl', '-inform', 'der', '-in', at('crl.der'), '-out', at('crl.pem')]);
  await writeFile(at('leaf.pem'), leaf.pem);
  await writeFile(at('bundle.pem'), identity.mspRoot.pem + identity.intermediate.pem);
  const args = ['verify', '-CAfile', at('bundle.pem'), '-CRLfile', at('crl.pem'), '-crl_check', at('leaf.pem')];
  const said = await run('/usr/bin/openssl', args).then(
    () => 'good',
    (error: unknown) => String((error as { stderr?: unknown }).stderr),
  );
  expect(said).toContain('certificate revoked');
}
