import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url, digest } from '../../../src/core/bytes.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import { openCompact } from '../../../src/pki/jws.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { LIMITS, MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import { renewed as schema, type Renewal, type Renewed } from '../../../src/protocol/renewal.ts';
import type { SignInput } from '../../../src/slice/ca/ca-client.ts';
import type { SliceContext } from '../../../src/slice/slice-context.ts';
import {
  fingerprintOf,
  gatewayHand,
  newMachine,
  PATHS,
  readStatus,
  sendLeave,
  sendStatus,
  signDeviceMessage,
  type Answer,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, enroll, enrollAndConfirm, type Enrolled } from './enrolling.ts';

// The gateway, the registry and step-ca are real. Time passes for the gateway alone, so the tests never move it so far that
// step-ca would no longer take its tokens.

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 40_000_001 });
});
afterAll(() => slice.remove());

const context = (): SliceContext => slice.running.context;

async function requestOf(
  { laptop, grant }: Enrolled,
  held: number,
  change: Partial<Renewal> = {},
  typ: string = TYP.renewal,
): Promise<string> {
  const message = {
    ...{ protocol: PROTOCOL, deviceId: grant.deviceId, held, nonce: base64url(randomBytes(16)) },
    csr: base64url(await makeCsr(laptop.deviceKey, laptop.hostName)),
    timestamp: new Date(slice.clock.now()).toISOString(),
    ...change,
  };
  return signDeviceMessage(laptop, typ, message);
}

const send = ({ grant }: Enrolled, jws: string): Promise<Answer> =>
  slice.gateway.send('POST', PATHS.device(grant.deviceId, 'renewals'), MEDIA.jose, jws);

const renew = async (enrolled: Enrolled, held: number, change: Partial<Renewal> = {}): Promise<Answer> =>
  send(enrolled, await requestOf(enrolled, held, change));

function readRenewed(answer: Answer): Renewed & { readonly leaf: Certificate } {
  if (answer.status !== 200) throw new Error(answer.body);
  const { payload } = openCompact(answer.body, TYP.renewed);
  const content = parseMessage(schema, payload, LIMITS.renewed, 'internal');
  return { ...content, leaf: leafOf(content.certificate.chain) };
}
const leafOf = ([der = '']: readonly string[]): Certificate => parseCertificate(Buffer.from(der, 'base64url'));

describe('a renewal', () => {
  test('gets a certificate for the same key, with the same subject, names and role, and a later end', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const jws = await requestOf(enrolled, 1);
    const content = readRenewed(await send(enrolled, jws));
    expect(content).toMatchObject({ number: 2, deviceId: enrolled.grant.deviceId, requestHash: digest(jws) });
    const before = leafOf(enrolled.grant.certificate.chain);
    const { leaf, certificate } = content;
    expect(leaf.spki.equals(before.spki)).toBe(true);
    expect(leaf.subjectDer.equals(before.subjectDer)).toBe(true);
    for (const field of ['sanDns', 'sanUris', 'extendedKeyUsages'] as const) expect(leaf[field]).toEqual(before[field]);
    expect(leaf.serialHex).not.toBe(before.serialHex);
    expect(leaf.notAfter >= before.notAfter).toBe(true);
    const middle = (leaf.notBefore.getTime() + leaf.notAfter.getTime()) / 2;
    expect(Date.parse(certificate.renewAfter)).toBe(middle);
    expect(certificate.chain[1]).toBe(enrolled.grant.certificate.chain[1]);
    const [entry] = (await context().registry.listAudit(5)).filter(({ action }) => action === 'device.renewals');
    expect(entry).toMatchObject({ decision: 'allowed', deviceId: enrolled.grant.deviceId, yubikeySerial: key.serial });
  });

  test('that is sent again, also at the same time, gets the same certificate', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const jws = await requestOf(enrolled, 1);
    const answers = await Promise.all([1, 2, 3].map(() => send(enrolled, jws)));
    await slice.restart();
    const all = [...answers, await send(enrolled, jws)].map((answer) => readRenewed(answer));
    expect(new Set(all.map(({ leaf }) => leaf.serialHex)).size).toBe(1);
    expect(all.map(({ number }) => number)).toEqual([2, 2, 2, 2]);
  });

  test('whose answer was lost is asked for anew', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    for (const number of [2, 3, 4]) expect(readRenewed(await renew(enrolled, 1)).number).toBe(number);
    expect(readRenewed(await renew(enrolled, 4)).number).toBe(5);
  });

  test('that is replayed after a later one gets nothing, and raises no alarm', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const first = await requestOf(enrolled, 1);
    await send(enrolled, first);
    await renew(enrolled, 2);
    expect(codeOf(await send(enrolled, first))).toBe('clock-skew');
    expect(readRenewed(await renew(enrolled, 3)).number).toBe(4);
  });

  test('raises an alarm on other hardware, as a status does, and is not stopped', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const fingerprint = fingerprintOf(newMachine(), enrolled.challenge.content.fingerprintSalt);
    expect(codeOf(await renew(enrolled, 1, { fingerprint }))).toBe('ok');
    expect((await context().registry.listAlarms())[0]).toMatchObject({
      deviceId: enrolled.grant.deviceId,
      code: 'hardware-changed',
    });
  });

  test('is limited, so that one laptop cannot keep step-ca busy; the same bytes count once', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const codes: string[] = [];
    let jws = '';
    for (let held = 1; held <= 21; held++) {
      jws = await requestOf(enrolled, held);
      codes.push(codeOf(await send(enrolled, jws)), codeOf(await send(enrolled, jws)));
    }
    expect(codes.slice(0, 40)).toEqual(Array.from({ length: 40 }, () => 'ok'));
    expect(codes.slice(40)).toEqual(['too-many-requests', 'too-many-requests']);
    expect(codeOf(await renew(await enrollAndConfirm(slice, key), 1))).toBe('ok');
  });

  test('is put off when many are at once, and told when to come back', async () => {
    const crowd: Enrolled[] = [];
    for (let n = 0; n < 70; n++) crowd.push(await enrollAndConfirm(slice, key));
    const ca = await readFile(slice.paths.webCa.certificate, 'utf8');
    const hand = gatewayHand({ port: slice.running.listen.port, hostName: 'enroll.acme.example', ca, connections: 70 });
    const { ca: stepCa } = context();
    const open = Promise.withResolvers<undefined>();
    Object.assign(context(), {
      ca: { ...stepCa, sign: (input: SignInput) => open.promise.then(() => stepCa.sign(input)) },
    });
    let putOff = 0;
    const answers = await Promise.all(
      crowd.map(async (enrolled) => {
        const path = PATHS.device(enrolled.grant.deviceId, 'renewals');
        const answer = await hand.send('POST', path, MEDIA.jose, await requestOf(enrolled, 1));
        if (answer.status === 503 && ++putOff === 6) open.resolve(undefined);
        return answer;
      }),
    );
    await hand.close();
    Object.assign(context(), { ca: stepCa });
    const busy = answers.filter((answer) => codeOf(answer) === 'slice-busy');
    expect(busy.map(({ headers }) => headers['retry-after'])).toEqual(['1', '1', '1', '1', '1', '1']);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(64);
  });

  test('is possible again after step-ca was down, with the very same bytes', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const jws = await requestOf(enrolled, 1);
    process.kill(slice.running.stepCaPid() ?? 0, 'SIGKILL');
    await expect.poll(() => context().ca.healthy()).toBe(false);
    expect(codeOf(await send(enrolled, jws))).toBe('ca-unavailable');
    await expect.poll(() => context().ca.healthy()).toBe(true);
    expect(readRenewed(await send(enrolled, jws)).number).toBe(2);
  });
});

describe('a copied disk', () => {
  test('stops both laptops, with an alarm that names the device, until an operator releases it', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const { deviceId } = enrolled.grant;
    readRenewed(await renew(enrolled, 1)); // the laptop now holds 2, the copy still 1
    readRenewed(await renew(enrolled, 1)); // the copy now holds 3
    expect(codeOf(await renew(enrolled, 2))).toBe('device-copied');
    expect(codeOf(await renew(enrolled, 3))).toBe('device-copied');
    const alarms = (await context().registry.listAlarms()).filter((alarm) => alarm.deviceId === deviceId);
    expect(alarms).toHaveLength(1);
    expect(alarms[0]).toMatchObject({ action: 'device.copied', code: 'device-copied' });
    expect(alarms[0]?.why).toContain(enrolled.grant.hostName);

    const release = () =>
      asOperator(slice, (operator) => operator.ask('device.release', { device: deviceId, why: 'the copy was erased' }));
    expect(await release()).toMatchObject({ released: true });
    expect(await release()).toMatchObject({ released: false });
    expect(readRenewed(await renew(enrolled, 2)).number).toBe(4);
    expect(codeOf(await renew(enrolled, 3))).toBe('device-copied');
  });

  test('keeps neither from asking how it stands, nor from leaving', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const { deviceId } = enrolled.grant;
    for (const held of [1, 1]) await renew(enrolled, held);
    expect(codeOf(await renew(enrolled, 2))).toBe('device-copied');
    expect(readStatus(await sendStatus(slice.gateway, enrolled.laptop, deviceId))).toMatchObject({ state: 'active' });
    expect(readStatus(await sendLeave(slice.gateway, enrolled.laptop, deviceId))).toMatchObject({ state: 'ended' });
    expect(codeOf(await renew(enrolled, 2))).toBe('device-ended');
  });
});

describe('no certificate', () => {
  test('for a device that has ended, whatever the reason', async () => {
    for (const reason of ['lost', 'offboarded', 'uninstalled'] as const) {
      const enrolled = await enrollAndConfirm(slice, key);
      const { deviceId } = enrolled.grant;
      await context().registry.endDevice(deviceId, reason, Date.now(), {
        ...{ requestId: 'test', actor: 'test', action: 'device.end', decision: 'allowed' },
      });
      expect(codeOf(await renew(enrolled, 1))).toBe('device-ended');
    }
  });

  test('after the time in which a laptop that was offline may still renew', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    slice.clock.offsetMs = (1 + 7) * 86_400_000 + 1000;
    try {
      expect(codeOf(await renew(enrolled, 1))).toBe('certificate-expired');
    } finally {
      slice.clock.offsetMs = 0;
    }
    expect(codeOf(await renew(enrolled, 1))).toBe('ok');
  });

  test('for a device that has not confirmed its enrollment', async () => {
    expect(codeOf(await renew(await enroll(slice, key), 1))).toBe('device-unknown');
  });

  test('that nobody can use, when the device ends while step-ca signs: it is revoked', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const { ca, registry } = context();
    const sign = ca.sign.bind(ca);
    let issued = '';
    ca.sign = async (input) => {
      issued = await sign(input);
      await registry.endDevice(enrolled.grant.deviceId, 'lost', Date.now(), {
        ...{ requestId: 'test', actor: 'test', action: 'device.end', decision: 'allowed' },
      });
      return issued;
    };
    try {
      expect(codeOf(await renew(enrolled, 1))).toBe('device-ended');
    } finally {
      ca.sign = sign;
    }
    expect(await registry.findCertificate(parseCertificate(issued).serialHex)).toMatchObject({
      deviceId: enrolled.grant.deviceId,
      revokeWhy: expect.any(String) as string,
    });
  });

  test.each([
    ['for another key', 'csr-refused', async () => ({ csr: base64url(await makeCsr(generateP256(), 'laptop')) })],
    ['with a time of eleven minutes ago', 'clock-skew', () => ({ timestamp: at(-11) })],
    ['with a time in eleven minutes', 'clock-skew', () => ({ timestamp: at(11) })],
    ['without a number', 'request-malformed', () => ({ held: 0 })],
    ['of another device', 'request-malformed', () => ({ deviceId: '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001' })],
  ] as const)('for a request %s (%s)', async (_name, code, change) => {
    const enrolled = await enrollAndConfirm(slice, key);
    expect(codeOf(await renew(enrolled, 1, await change()))).toBe(code);
    expect(readRenewed(await renew(enrolled, 1)).number).toBe(2);
  });

  test('for a message of another type, or of another key', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    expect(codeOf(await send(enrolled, await requestOf(enrolled, 1, {}, TYP.status)))).toBe('request-malformed');
    const stranger = { ...enrolled, laptop: { ...enrolled.laptop, deviceKey: generateP256() } };
    expect(codeOf(await renew(stranger, 1))).toBe('device-signature-refused');
  });
});

const at = (minutes: number): string => new Date(slice.clock.now() + minutes * 60_000).toISOString();
