import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url, digest, sha256 } from '../../../src/core/bytes.ts';
import { challengeProof, claimKey, claimProof } from '../../../src/pki/claim-token.ts';
import { openCompact } from '../../../src/pki/jws.ts';
import { TYP } from '../../../src/protocol/common.ts';
import { tpmExtension } from '../../../src/protocol/tpm-key.ts';
import { PretendedTpm } from '../../fakes/slice/pretended-tpm.ts';
import {
  newToken,
  readClaimChallenge,
  newClaimHello,
  sealClaim,
  sendClaim,
  sendClaimHello,
  startClaim,
  tokenFor,
  type StartedClaim,
  type TestToken,
} from '../../fakes/slice/test-claim.ts';
import {
  newLaptop,
  readGrant,
  sendConfirm,
  sendLeave,
  type Answer,
  type Laptop,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, enroll } from './enrolling.ts';
import { tpmProof } from '../../../src/pki/tpm-proof.ts';
import { readSliceConfig, writeSliceConfig } from '../../../src/slice/config/slice-config.ts';

// Laptops with a token, against a slice with a real step-ca and a real registry.

let slice: TestSlice;
beforeAll(async () => {
  slice = await startTestSlice();
  const config = await readSliceConfig(slice.dir);
  await writeSliceConfig(slice.dir, { ...config, claims: { withoutTpm: 'accept', approvalHours: 1 } });
  await slice.restart();
});
afterAll(() => slice.remove());

type Listed = ReturnType<typeof tokenFor>;

async function deliver(
  laptop: Laptop,
  more: Partial<Omit<Listed, 'endorsement'>> & { readonly endorsement?: string } = {},
  hours = 1,
): Promise<TestToken> {
  const token = newToken();
  await asOperator(slice, (operator) =>
    operator.ask('batch.create', {
      ...{ batch: randomUUID(), role: 'engineer', expiresAt: slice.clock.now() + hours * 3_600_000 },
      tokens: [{ ...tokenFor(token, laptop), ...more }],
    }),
  );
  return token;
}

async function claim(laptop: Laptop, token: TestToken): Promise<Answer & { started: StartedClaim; jwe: string }> {
  const started = await startClaim(slice.gateway, laptop, token);
  const jwe = await sealClaim(started);
  return { ...(await sendClaim(slice.gateway, started.content.sessionId, jwe)), started, jwe };
}

async function confirmed(laptop: Laptop, token: TestToken): Promise<string> {
  const answer = await claim(laptop, token);
  expect(codeOf(answer)).toBe('ok');
  const { deviceId } = await readGrant(laptop, answer.body);
  expect(codeOf(await sendConfirm(slice.gateway, laptop, deviceId, answer.body))).toBe('ok');
  return deviceId;
}

const alarms = async (): Promise<string[]> =>
  (await asOperator(slice, (operator) => operator.ask('alarm.list'))).map(
    ({ code = '', why = '' }) => `${code} ${why}`,
  );

describe('a laptop with its token', () => {
  test('is let in, once', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    const deviceId = await confirmed(laptop, token);
    const device = await slice.running.context.registry.findDevice(deviceId);
    expect(device).toMatchObject({ state: 'active', yubikeySerial: null, tokenId: token.id, role: 'engineer' });
    expect(await slice.running.context.registry.findToken(token.id)).toMatchObject({ deviceId });
    // Another laptop with a copy of the disk, and the same one anew.
    const copy = {
      ...newLaptop(),
      machine: { ...newLaptop().machine, 'system-serial': laptop.machine['system-serial'] ?? '' },
    };
    expect(codeOf(await claim(copy, token))).toBe('claim-token-used');
    expect(await alarms()).toContainEqual(expect.stringContaining(`claim-token-used token ${token.id}`));
  });

  test('gets the same grant for the same bytes, and another session changes nothing while it is not confirmed', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    const first = await claim(laptop, token);
    expect(codeOf(first)).toBe('ok');
    const again = await sendClaim(slice.gateway, first.started.content.sessionId, first.jwe);
    expect(again.body).toBe(first.body);
    // Its disk was restored to before the grant: a new key, and the token is good still.
    const anew = { ...laptop, deviceKey: newLaptop().deviceKey, wireguardKey: laptop.wireguardKey };
    const deviceId = await confirmed(anew, token);
    const { deviceId: before } = await readGrant(laptop, first.body);
    expect(await slice.running.context.registry.findDevice(before)).toMatchObject({ endReason: 'superseded' });
    expect(await slice.running.context.registry.findToken(token.id)).toMatchObject({ deviceId });
  });

  test('that gave up before it confirmed can claim itself again', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    const first = await claim(laptop, token);
    const { deviceId } = await readGrant(laptop, first.body);
    expect(codeOf(await sendLeave(slice.gateway, laptop, deviceId))).toBe('ok');
    await confirmed(newLaptop({ machine: laptop.machine }), token);
  });
});

describe('the gateway proves a second time that it is the one', () => {
  test('by what only the token can check, also of its certificate', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    const hello = JSON.stringify(newClaimHello(laptop, token));
    const { body } = await slice.gateway.send('POST', '/v1/claims', 'application/json', hello);
    const { x5c } = openCompact(body, TYP.claimChallenge);
    const [gateway] = x5c;
    if (gateway === undefined) throw new Error('no certificate');
    const { serverNonce, tokenProof } = readClaimChallenge(body);
    const asked = { helloHash: base64url(sha256(hello)), serverNonce, gateway };
    expect(tokenProof).toBe(challengeProof(claimKey(token.secret, token.id), asked));
  });

  test('for a token that it does not know it does the same, with a proof that nobody can check; always the same refusal', async () => {
    const [laptop, stranger] = [newLaptop(), newLaptop()];
    const known = await deliver(laptop);
    const [real, decoy] = await Promise.all([
      startClaim(slice.gateway, laptop, known),
      startClaim(slice.gateway, stranger, newToken()),
    ]);
    expect(Object.keys(decoy.content)).toEqual(Object.keys(real.content));
    expect(decoy.jws.length).toBe(real.jws.length);
    const guessed = await claim(laptop, { id: known.id, secret: newToken().secret });
    const unknown = await sendClaim(slice.gateway, decoy.content.sessionId, await sealClaim(decoy));
    expect([codeOf(guessed), codeOf(unknown)]).toEqual(['claim-refused', 'claim-refused']);
    const { requestId: _one, ...one } = JSON.parse(guessed.body) as Record<string, unknown>;
    const { requestId: _two, ...two } = JSON.parse(unknown.body) as Record<string, unknown>;
    expect(one).toEqual(two);
  });
});

describe('a token is refused', () => {
  const refusedAfter = async (change: (started: StartedClaim) => void | Promise<void>): Promise<string> => {
    const laptop = newLaptop();
    const started = await startClaim(slice.gateway, laptop, await deliver(laptop));
    await change(started);
    const answer = await sendClaim(slice.gateway, started.content.sessionId, await sealClaim(started));
    const devices = await slice.running.context.registry.listDevices();
    expect(devices.filter(({ hostName }) => hostName === laptop.hostName)).toEqual([]);
    return codeOf(answer);
  };

  test.each<[string, string, (started: StartedClaim) => void]>([
    [
      'on a laptop with another serial number',
      'claim-other-laptop',
      ({ claim }) => void (claim.host.serial = 'OTHER1'),
    ],
    ['on a laptop with another UUID', 'claim-other-laptop', ({ claim }) => void (claim.host.uuid = randomUUID())],
    [
      'on a laptop that says no serial number',
      'claim-other-laptop',
      ({ claim }) => {
        delete claim.host.serial;
      },
    ],
    [
      'with the proof of another challenge',
      'claim-refused',
      (s) => void (s.claim.tokenProof = claimProof(claimKey(s.token.secret, s.token.id), digest('x'))),
    ],
    ['with the proof of the gateway', 'claim-refused', (s) => void (s.claim.tokenProof = s.content.tokenProof)],
    [
      'with the proof of another token',
      'claim-refused',
      (s) => void (s.claim.tokenProof = claimProof(claimKey(s.token.secret, randomUUID()), digest(s.jws))),
    ],
    ['for another customer', 'statement-mismatch', (s) => void (s.claim.slug = 'other')],
    ['in another session', 'statement-mismatch', (s) => void (s.claim.sessionId = randomUUID())],
    ['for another challenge', 'statement-mismatch', (s) => void (s.claim.challengeHash = digest('x'))],
    [
      'with the tunnel key of somebody else',
      'wireguard-key-refused',
      (s) => void (s.claim.wireguardPublicKey = newLaptop().wireguardPublicKey),
    ],
    [
      'with hardware that is not in its fingerprint',
      'fingerprint-refused',
      (s) => void (s.claim.fingerprint = { ...s.claim.fingerprint, digest: digest('x') }),
    ],
    [
      'with what a claim does not have',
      'request-malformed',
      (s) => void Object.assign(s.claim, { yubikey: { serial: 1 } }),
    ],
  ])('%s: %s', async (_name, code, change) => {
    // The serial number is part of the fingerprint: of a laptop that lies about one of them, the token comes first.
    expect(await refusedAfter(change)).toBe(code);
  });

  test('signed by another key than that of the hello', async () => {
    const laptop = newLaptop();
    const started = await startClaim(slice.gateway, laptop, await deliver(laptop));
    const jwe = await sealClaim({ ...started, laptop: { ...laptop, deviceKey: newLaptop().deviceKey } });
    expect(codeOf(await sendClaim(slice.gateway, started.content.sessionId, jwe))).toBe('device-signature-refused');
  });

  test('at the door for YubiKeys, and a YubiKey at the door for tokens', async () => {
    const laptop = newLaptop();
    const started = await startClaim(slice.gateway, laptop, await deliver(laptop));
    const jwe = await sealClaim(started);
    const { sessionId } = started.content;
    const other = await slice.gateway.send('PUT', `/v1/enrollments/${sessionId}/statement`, 'application/jose', jwe);
    expect(codeOf(other)).toBe('session-unknown');
    const key = await slice.provision({ serial: 40_200_001 });
    const enrolled = await enroll(slice, key);
    expect(codeOf(await sendClaim(slice.gateway, enrolled.sessionId, enrolled.jwe))).toBe('session-unknown');
  });

  test('once it is revoked, has expired; and works again when an operator reopens it', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    await asOperator(slice, (operator) => operator.ask('batch.revoke', { tokens: [token.id], why: 'stolen' }));
    expect(codeOf(await claim(laptop, token))).toBe('claim-token-revoked');
    const reopened = { token: String(laptop.machine['system-serial']), hours: 1, why: 'found' };
    await asOperator(slice, (operator) => operator.ask('claim.reopen', reopened));
    slice.clock.offsetMs = 2 * 3_600_000;
    try {
      expect(codeOf(await claim(laptop, token))).toBe('claim-token-expired');
    } finally {
      slice.clock.offsetMs = 0;
    }
    await confirmed(laptop, token);
  });

  test('after its mainboard was changed, until an operator says which one it has now', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    const repaired = newLaptop();
    expect(codeOf(await claim(repaired, token))).toBe('claim-other-laptop');
    expect(await alarms()).toContainEqual(
      expect.stringContaining(`token ${token.id} of ${String(laptop.machine['system-serial'])}`),
    );
    const { machine } = repaired;
    await asOperator(slice, (operator) =>
      operator.ask('claim.reopen', {
        ...{ token: token.id, hours: 1, why: 'new mainboard' },
        ...{ serial: String(machine['system-serial']), uuid: String(machine.uuid) },
      }),
    );
    await confirmed(repaired, token);
  });
});

describe('a laptop whose TPM its OEM has named', () => {
  const tpmOf = async (tpm: PretendedTpm, laptop: Laptop, token: TestToken): Promise<string> => {
    const started = await startClaim(slice.gateway, laptop, token, {
      extensions: tpmExtension(tpm.claim(laptop.deviceKey)),
    });
    const said = started.content.extensions?.['device-key.tpm']?.value as {
      credential: { idObject: string; encryptedSecret: string };
    };
    const { idObject, encryptedSecret } = said.credential;
    const secret = tpm.open(
      { idObject: Buffer.from(idObject, 'base64url'), encryptedSecret: Buffer.from(encryptedSecret, 'base64url') },
      laptop.deviceKey,
    );
    started.claim.extensions = tpmExtension({ proof: tpmProof(secret, digest(started.jws)) });
    return codeOf(await sendClaim(slice.gateway, started.content.sessionId, await sealClaim(started)));
  };
  const endorsementOf = (tpm: PretendedTpm): string => sha256(tpm.certificate.spki).toString('hex');

  test('is let in with a key in it, and not without, nor with another TPM', async () => {
    const [own, other] = await Promise.all([PretendedTpm.make(), PretendedTpm.make()]);
    const laptop = newLaptop();
    const token = await deliver(laptop, { endorsement: endorsementOf(own) });
    expect(codeOf(await claim(laptop, token))).toBe('claim-other-laptop');
    expect(await tpmOf(other, laptop, token)).toBe('claim-other-laptop');
    expect(await tpmOf(own, laptop, token)).toBe('ok');
    const [device] = (await slice.running.context.registry.listDevices()).filter(({ tokenId }) => tokenId === token.id);
    expect(device).toMatchObject({ keyKind: 'tpm' });
  });
});

describe('where an operator decides', () => {
  beforeAll(async () => {
    const config = await readSliceConfig(slice.dir);
    await writeSliceConfig(slice.dir, { ...config, claims: { withoutTpm: 'approve', approvalHours: 48 } });
    await slice.restart();
  });

  test('a laptop waits, shows a code, and goes on with the same bytes once it is let in', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    const { jwe, started, ...answer } = await claim(laptop, token);
    expect([codeOf(answer), Number(answer.headers['retry-after'])]).toEqual(['claim-waits', 15]);
    const waiting = await asOperator(slice, (operator) => operator.ask('claim.list', { all: false }));
    const [mine] = waiting.filter(({ tokenId }) => tokenId === token.id);
    expect(mine).toMatchObject({
      state: 'waiting',
      serial: laptop.machine['system-serial'],
      hostName: laptop.hostName,
    });
    // A day later the token is over, the slice was restarted, and nobody was in front of it.
    slice.clock.offsetMs = 24 * 3_600_000;
    await slice.restart();
    const later = await sendClaim(slice.gateway, started.content.sessionId, jwe);
    slice.clock.offsetMs = 0;
    expect(codeOf(later)).toBe('claim-waits');
    await asOperator(slice, (operator) => operator.ask('claim.approve', { claim: mine?.code ?? '' }));
    expect(codeOf(await sendClaim(slice.gateway, started.content.sessionId, jwe))).toBe('ok');
  });

  test('of two laptops with one token, one is let in; who is refused stays so', async () => {
    const laptop = newLaptop();
    const token = await deliver(laptop);
    const copy = newLaptop({ machine: laptop.machine });
    const [one, two] = [await claim(laptop, token), await claim(copy, token)];
    expect([codeOf(one), codeOf(two)]).toEqual(['claim-waits', 'claim-waits']);
    const ids = [one, two].map(({ started }) => started.content.sessionId);
    await asOperator(slice, (operator) => operator.ask('claim.approve', { claim: ids[0] ?? '' }));
    await expect(
      asOperator(slice, (operator) => operator.ask('claim.approve', { claim: ids[1] ?? '' })),
    ).rejects.toMatchObject({ code: 'claim-twice' });
    await asOperator(slice, (operator) => operator.ask('claim.refuse', { claim: ids[1] ?? '', why: 'a copy' }));
    expect(codeOf(await sendClaim(slice.gateway, ids[1] ?? '', two.jwe))).toBe('claim-not-approved');
    expect(codeOf(await sendClaim(slice.gateway, ids[0] ?? '', one.jwe))).toBe('ok');
  });
});

test('the same hello gets the same challenge; another with the same attempt is refused', async () => {
  const laptop = newLaptop();
  const hello = newClaimHello(laptop, newToken());
  const [one, two] = [await sendClaimHello(slice.gateway, hello), await sendClaimHello(slice.gateway, hello)];
  expect(one.body).toBe(two.body);
  expect(codeOf(await sendClaimHello(slice.gateway, { ...hello, tokenId: randomUUID() }))).toBe('attempt-conflict');
});
