import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { digest } from '../../../src/core/bytes.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { tpmProof } from '../../../src/pki/tpm-proof.ts';
import { tpmExtension, tpmWishIn, type TpmClaim, type TpmWish } from '../../../src/protocol/tpm-key.ts';
import { readSliceConfig, writeSliceConfig, type SliceConfig } from '../../../src/slice/config/slice-config.ts';
import { PretendedTpm, publicAreaOf } from '../../fakes/slice/pretended-tpm.ts';
import {
  newHello,
  newLaptop,
  newStatement,
  readChallenge,
  sendHello,
  sendStatement,
  type Answer,
  type Laptop,
} from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { codeOf, seal, type Started } from './enrolling.ts';

let slice: TestSlice;
let key: ProvisionedKey;
let tpm: PretendedTpm;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-makers-'));
  tpm = await PretendedTpm.make();
  const tpmMakersFile = path.join(folder, 'makers.pem');
  await writeFile(tpmMakersFile, tpm.maker.pem);
  slice = await startTestSlice({ init: { tpm: 'require', tpmMakersFile } });
  key = await slice.provision({ serial: 20_000_001 });
});
afterAll(async () => {
  await slice.remove();
  await rm(folder, { recursive: true });
});

/** Hello and challenge. */
async function say(laptop: Laptop, claim?: TpmClaim): Promise<Answer> {
  const extensions = claim === undefined ? {} : { extensions: tpmExtension(claim) };
  return sendHello(slice.gateway, { ...newHello(laptop), ...extensions });
}

async function begin(laptop: Laptop, claim?: TpmClaim): Promise<{ started: Started; wish: TpmWish | undefined }> {
  const answer = await say(laptop, claim);
  if (answer.status !== 200) throw new Error(answer.body);
  const challenge = readChallenge(answer.body);
  const statement = await newStatement(laptop, challenge, key);
  const wish = tpmWishIn(challenge.content);
  if (wish === 'malformed') throw new TypeError('a wish of another form');
  return { started: { laptop, challenge, statement, sessionId: challenge.content.sessionId }, wish };
}

/** What an honest laptop says: it has opened the credential of this challenge. */
function proofOf({ laptop, challenge }: Started, wish: TpmWish | undefined): { proof: string } {
  const { idObject = '', encryptedSecret = '' } = wish?.credential ?? {};
  const credential = {
    idObject: Buffer.from(idObject, 'base64url'),
    encryptedSecret: Buffer.from(encryptedSecret, 'base64url'),
  };
  return { proof: tpmProof(tpm.open(credential, laptop.deviceKey), digest(challenge.jws)) };
}

async function finish(started: Started, said?: { proof: string }): Promise<Answer> {
  const extensions = said === undefined ? {} : { extensions: tpmExtension(said) };
  const statement = { ...started.statement, ...extensions };
  return sendStatement(slice.gateway, started.sessionId, await seal({ ...started, statement }, key));
}

const kindOf = async ({ hostName }: Laptop): Promise<string | undefined> =>
  (await slice.running.context.registry.listDevices()).find((device) => device.hostName === hostName)?.keyKind;

async function setPolicy(policy: SliceConfig['deviceKey']['tpm']): Promise<void> {
  await slice.stop();
  await writeSliceConfig(slice.dir, { ...(await readSliceConfig(slice.dir)), deviceKey: { tpm: policy } });
  await slice.start();
}

test('a key that is proven to be in a TPM is recorded as such', async () => {
  const laptop = newLaptop();
  const { started, wish } = await begin(laptop, tpm.claim(laptop.deviceKey));
  expect(wish).toMatchObject({ want: 'require', credential: {} });
  expect(codeOf(await finish(started, proofOf(started, wish)))).toBe('ok');
  expect(await kindOf(laptop)).toBe('tpm');
});

describe('what is said of a key in a TPM is refused', () => {
  const hellos: readonly [string, ErrorCode, (laptop: Laptop) => Promise<TpmClaim> | TpmClaim][] = [
    ['of a key that could leave it', 'tpm-key-refused', ({ deviceKey }) => tpm.claim(deviceKey, 0x0006_0470)],
    ['of a key that was imported', 'tpm-key-refused', ({ deviceKey }) => tpm.claim(deviceKey, 0x0006_0452)],
    ['of another key', 'tpm-key-refused', () => tpm.claim(generateP256())],
    [
      'with a public area that is none',
      'tpm-key-refused',
      ({ deviceKey }) => ({ ...tpm.claim(deviceKey), publicArea: 'AAAA' }),
    ],
    [
      'with a certificate that is none',
      'tpm-key-refused',
      ({ deviceKey }) => ({ ...tpm.claim(deviceKey), endorsement: 'AAAA' }),
    ],
    [
      'by a maker whom the customer does not trust',
      'tpm-maker-unknown',
      async ({ deviceKey }) => (await PretendedTpm.make()).claim(deviceKey),
    ],
    [
      'with the certificate of something else, by a trusted maker',
      'tpm-maker-unknown',
      ({ deviceKey }) => ({ ...tpm.claim(deviceKey), endorsement: tpm.maker.der.toString('base64url') }),
    ],
    [
      'with bytes behind the public area',
      'tpm-key-refused',
      ({ deviceKey }) => ({
        ...tpm.claim(deviceKey),
        publicArea: Buffer.concat([publicAreaOf(deviceKey, 0x0006_0472), Buffer.of(0)]).toString('base64url'),
      }),
    ],
    [
      'that is too long',
      'request-malformed',
      ({ deviceKey }) => ({ ...tpm.claim(deviceKey), publicArea: Buffer.alloc(257).toString('base64url') }),
    ],
  ];
  test.each(hellos)('%s: %s', async (_what, code, claim) => {
    const laptop = newLaptop();
    expect(codeOf(await say(laptop, await claim(laptop)))).toBe(code);
  });

  const statements: readonly [string, ErrorCode, () => Promise<Answer>][] = [
    ['without a proof', 'tpm-key-required', async () => finish((await begin(newLaptop())).started)],
    [
      'without a proof, although there is a credential',
      'tpm-key-required',
      async () => {
        const laptop = newLaptop();
        return finish((await begin(laptop, tpm.claim(laptop.deviceKey))).started);
      },
    ],
    [
      'with the secret of another session of the same key',
      'tpm-proof-refused',
      async () => {
        const laptop = newLaptop();
        const earlier = await begin(laptop, tpm.claim(laptop.deviceKey));
        const { started } = await begin(laptop, tpm.claim(laptop.deviceKey));
        return finish(started, proofOf(started, earlier.wish));
      },
    ],
    [
      'with a proof from another session',
      'tpm-proof-refused',
      async () => {
        const laptop = newLaptop();
        const earlier = await begin(laptop, tpm.claim(laptop.deviceKey));
        const { started } = await begin(laptop, tpm.claim(laptop.deviceKey));
        return finish(started, proofOf(earlier.started, earlier.wish));
      },
    ],
    [
      'with a proof where there was no credential',
      'tpm-proof-refused',
      async () => finish((await begin(newLaptop())).started, { proof: digest('a guess') }),
    ],
  ];
  test.each(statements)('%s: %s', async (_what, code, send) => {
    expect(codeOf(await send())).toBe(code);
  });

  test('a credential opens for its own key alone', async () => {
    const laptop = newLaptop();
    const { wish } = await begin(laptop, tpm.claim(laptop.deviceKey));
    const { idObject = '', encryptedSecret = '' } = wish?.credential ?? {};
    const credential = {
      idObject: Buffer.from(idObject, 'base64url'),
      encryptedSecret: Buffer.from(encryptedSecret, 'base64url'),
    };
    expect(() => tpm.open(credential, generateP256())).toThrow('integrity');
  });
});

test('a slice that prefers such keys notes others as unproven, and refuses a wrong proof all the same', async () => {
  await setPolicy('prefer');
  const laptop = newLaptop();
  const { started, wish } = await begin(laptop);
  expect(wish).toEqual({ want: 'prefer' });
  expect(codeOf(await finish(started, { proof: digest('a guess') }))).toBe('tpm-proof-refused');
  expect(codeOf(await finish(started))).toBe('ok');
  expect(await kindOf(laptop)).toBe('unproven');
});

test('a slice that does not ask says nothing, and does not look at what it is told', async () => {
  await setPolicy('off');
  const laptop = newLaptop();
  const { started, wish } = await begin(laptop, { endorsement: 'AAAA', publicArea: 'AAAA' });
  expect(wish).toBeUndefined();
  expect(started.challenge.content).not.toHaveProperty('extensions');
  expect(codeOf(await finish(started, { proof: digest('a guess') }))).toBe('ok');
  expect(await kindOf(laptop)).toBe('unproven');
});

test('a slice that wants them and trusts no maker does not start', async () => {
  await slice.stop();
  await writeSliceConfig(slice.dir, { ...(await readSliceConfig(slice.dir)), deviceKey: { tpm: 'prefer' } });
  await rm(slice.paths.tpmMakers);
  await expect(slice.start()).rejects.toMatchObject({ code: 'slice-damaged' });
  await writeFile(slice.paths.tpmMakers, tpm.certificate.pem, { mode: 0o600 });
  await expect(slice.start()).rejects.toMatchObject({ code: 'slice-damaged' });
  await writeFile(slice.paths.tpmMakers, tpm.maker.pem, { mode: 0o600 });
  await slice.start();
});
