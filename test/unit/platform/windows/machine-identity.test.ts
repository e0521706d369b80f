import { rm } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { WindowsCertificateStore } from '../../../../platform/windows/certificate-store.ts';
import { keyName } from '../../../../platform/windows/machine-keys.ts';
import { storeHash } from '../../../../platform/windows/machine-store.ts';
import { at, type WindowsSystem } from '../../../../platform/windows/system.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { DeviceCertificate } from '../../../../src/laptop/system/certificate-store.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { generateP256, spkiDer } from '../../../../src/pki/keys.ts';
import { certificateFor } from './device-certificates.ts';
import { FakeWindows } from './fake-windows.ts';

const KEY = 'ProgramData/KiwiStack/Certificates/acme.key';
let machine: FakeWindows;
/** As another process has it: nothing is remembered but what is on the machine. */
const fresh = (): WindowsCertificateStore => new WindowsCertificateStore(machine);
const next = (): Promise<DeviceCertificate> => certificateFor(machine, fresh(), 'acme');

beforeEach(async () => {
  machine = await FakeWindows.make();
});
afterEach(() => machine.destroy());

const publicBlob = (spki: Buffer): string => `4543533120000000${spki.subarray(-64).toString('hex')}`;

async function installed(): Promise<DeviceCertificate> {
  const certificate = await next();
  await fresh().install('acme', certificate);
  return certificate;
}

/** Whatever was interrupted: no certificate is without its key or goes with another, and all of it would be found and removed. */
async function expectCoherent(): Promise<void> {
  for (const { key, der = Buffer.of() } of machine.stores.MY.values()) {
    const { spki } = parseCertificate(der);
    expect(key).toBe(keyName('acme', spki));
    expect(machine.cng.keys.get(key ?? '')?.publicKey).toBe(publicBlob(spki));
  }
  const found = (await fresh().found()).filter(({ ours }) => ours).map(({ what }) => what);
  expect(found.filter((what) => what.startsWith('CNG: '))).toHaveLength(machine.cng.keys.size);
  const stored = machine.stores.MY.size + machine.stores.CA.size;
  expect(found.filter((what) => what.startsWith('LocalMachine'))).toHaveLength(stored);
}

/** This certificate, its intermediate and its key are there, and nothing else of ours. */
async function expectWhole(certificate: DeviceCertificate): Promise<void> {
  await expectCoherent();
  expect([...machine.stores.MY.keys()]).toEqual([storeHash(certificate.leaf.der)]);
  expect([...machine.stores.CA.keys()]).toEqual([storeHash(certificate.intermediate.der)]);
  expect([...machine.cng.keys.keys()]).toEqual([keyName('acme', certificate.leaf.spki)]);
  expect(await fresh().verify('acme', certificate)).toBe(true);
  expect(await fresh().systemUse('acme')).toBe(String.raw`LocalMachine\My, with its key in CNG`);
}

describe('the key in CNG', () => {
  it('is for the system and administrators, not to be exported, and named after customer and public key', async () => {
    const { leaf } = await installed();
    expect([...machine.cng.keys]).toEqual([
      [
        expect.stringMatching(/^KiwiStack acme [0-9a-f]{64}$/u),
        { publicKey: publicBlob(leaf.spki), exportPolicy: 0, security: 'O:BAD:P(A;;GA;;;SY)(A;;GA;;;BA)' },
      ],
    ]);
  });

  it('stays when the certificate is renewed, is not imported again, and does not go with the old certificate', async () => {
    await installed();
    await expectWhole(await installed());
    expect(machine.ran.filter((line) => line.startsWith('kiwistack-helper key-'))).not.toContainEqual(
      expect.stringContaining('key-remove'),
    );
    expect(machine.ran.filter((line) => line.includes('key-add'))).toHaveLength(1);
  });

  it('is given to the helper as its input, never as an argument, and cleared afterwards', async () => {
    const inputs: Uint8Array[] = [];
    const sent: string[] = [];
    const { root, program, clock } = machine;
    const watched: WindowsSystem = {
      ...{ root, program, clock },
      run: (request) => {
        if (request.args[0] === 'key-add' && request.input instanceof Uint8Array) {
          inputs.push(request.input);
          sent.push(Buffer.from(request.input).toString('hex'));
        }
        return machine.run(request);
      },
    };
    await new WindowsCertificateStore(watched).install('acme', await next());
    const [blob = ''] = sent;
    expect(blob).toMatch(/^45435332[0-9a-f]{200}$/u);
    expect(inputs.map((input) => input.every((byte) => byte === 0))).toEqual([true]);
    const secret = Buffer.from(blob.slice(-64), 'hex');
    for (const form of ['hex', 'base64', 'base64url'] as const) {
      expect(machine.ran.join('\n')).not.toContain(secret.toString(form));
    }
  });

  it('of another customer, and what others keep there, is left alone until everything of ours is removed', async () => {
    const other = 'KiwiStack acme-two 00';
    machine.cng.keys.set(other, { publicKey: '', exportPolicy: 0, security: '' });
    await installed();
    expect(machine.cng.keys.has(other)).toBe(true);
    await fresh().remove('acme');
    expect(machine.cng.keys.size).toBe(0);
  });

  it('that somebody else has made under its name is not taken for it', async () => {
    const { leaf } = await next();
    const name = keyName('acme', leaf.spki);
    const open = 'O:S-1-5-21-9-9-9-1005D:(A;;GA;;;WD)';
    for (const planted of [
      { publicKey: publicBlob(spkiDer(generateP256())), exportPolicy: 0, security: 'O:BAD:P(A;;GA;;;SY)(A;;GA;;;BA)' },
      { publicKey: publicBlob(leaf.spki), exportPolicy: 3, security: 'O:BAD:P(A;;GA;;;SY)(A;;GA;;;BA)' },
      { publicKey: publicBlob(leaf.spki), exportPolicy: 0, security: open },
      { publicKey: publicBlob(leaf.spki), exportPolicy: 0, security: 'O:S-1-5-21-9-9-9-1005D:P(A;;GA;;;SY)' },
    ]) {
      machine.cng.keys.set(name, planted);
      await expectWhole(await installed());
      const security = 'O:BAD:P(A;;GA;;;SY)(A;;GA;;;BA)';
      expect(machine.cng.keys.get(name)).toEqual({ publicKey: publicBlob(leaf.spki), exportPolicy: 0, security });
    }
  });
});

interface Story {
  /** What is on the machine before. */
  readonly before: () => Promise<unknown>;
  /** Calls of the helper that `install` makes then. */
  readonly calls: number;
}

const STORIES: Readonly<Record<string, Story>> = {
  'the first certificate': { before: () => fresh().createDeviceKey('acme'), calls: 10 },
  'the next certificate for the same key': { before: installed, calls: 10 },
  'a certificate for another key, when the file of the first is lost': {
    before: async () => {
      await installed();
      await rm(at(machine, KEY));
    },
    calls: 13,
  },
  'a certificate where a key of somebody else has the name': {
    before: async () => {
      const { leaf } = await next();
      const publicKey = publicBlob(spkiDer(generateP256()));
      machine.cng.keys.set(keyName('acme', leaf.spki), { publicKey, exportPolicy: 0, security: 'O:BAD:P' });
    },
    calls: 11,
  },
};

/** @returns whether it came to its end before it was dead */
async function killedAfter(calls: number, act: () => Promise<unknown>): Promise<boolean> {
  const death = machine.dieAfter(calls).then(() => false);
  const end = act().then(() => true);
  const ended = await Promise.race([death, end]);
  machine.revive();
  return ended;
}

const upTo = (calls: number): number[] => Array.from({ length: calls + 1 }, (_, index) => index);

describe.each(Object.entries(STORIES))('%s', (_name, { before, calls }) => {
  it.each(upTo(calls))('is whole after the next run, when this one is killed after %i calls', async (made) => {
    await before();
    const certificate = await next();
    const earlier = (await fresh().load('acme'))?.leaf.der;
    const ended = await killedAfter(made, () => fresh().install('acme', certificate));
    expect(ended, 'the story has another number of calls').toBe(made === calls);
    await expectCoherent();
    // The one that the files name is in the store at any moment.
    const now = (await fresh().load('acme'))?.leaf.der;
    if (now !== undefined) expect([...machine.stores.MY.keys()]).toContain(storeHash(now));
    expect([earlier, certificate.leaf.der]).toContainEqual(now);
    // A renewal is made again, and has another certificate then.
    const again = await next();
    await fresh().install('acme', again);
    await expectWhole(again);
  });
});

describe('a removal', () => {
  const CALLS = 10;

  it.each(upTo(CALLS))('leaves nothing after the next run, when this one is killed after %i calls', async (made) => {
    await installed();
    machine.cng.keys.set('KiwiStack acme 00', { publicKey: '', exportPolicy: 0, security: '' });
    const ended = await killedAfter(made, () => fresh().remove('acme'));
    expect(ended, 'it has another number of calls').toBe(made === CALLS);
    await expectCoherent();
    if (!ended) expect(await fresh().found()).not.toEqual([]);
    await fresh().remove('acme');
    expect(await fresh().found()).toEqual([]);
    expect([machine.cng.keys.size, machine.stores.MY.size, machine.stores.CA.size]).toEqual([0, 0, 0]);
  });
});

describe('where CNG does not take the key', () => {
  it.each([
    ['absent', 'CNG of this system keeps no keys: not implemented'],
    ['refuses', 'kiwistack-helper key-add: NCryptImportKey: error 0x80090020'],
    ['silent', 'kiwistack-helper key-list: NCryptEnumKeys: error 0x80090020'],
  ] as const)('%s: the certificate is there without it, which is said and mended later', async (state, detail) => {
    machine.cng.state = state;
    const first = await installed();
    const second = await installed();
    expect([...machine.stores.MY.values()]).toMatchObject([{ name: 'KiwiStack acme', key: null }]);
    expect(await fresh().verify('acme', first)).toBe(false);
    expect(await fresh().verify('acme', second)).toBe(true);
    expect(await fresh().systemUse('acme')).toMatchObject({ code: 'certificate-keyless' });
    await expect(fresh().giveToSystem('acme')).rejects.toMatchObject({ code: 'certificate-keyless', detail });
    machine.cng.state = 'works';
    await fresh().giveToSystem('acme');
    await expectWhole(second);
  });

  it.each([{ exportPolicy: 2 }, { security: 'O:BAD:(A;;GA;;;SY)(A;;GR;;;BU)' }])(
    'nor does one stay that it keeps otherwise than it was given: %o',
    async (keeps) => {
      machine.cng.keeps = keeps;
      const certificate = await installed();
      expect(machine.cng.keys.size).toBe(0);
      expect(await fresh().verify('acme', certificate)).toBe(true);
      expect(await fresh().systemUse('acme')).toBeInstanceOf(KiwiError);
    },
  );

  it('a removal says so, and takes the files and certificates all the same', async () => {
    await installed();
    machine.cng.state = 'silent';
    await expect(fresh().remove('acme')).rejects.toMatchObject({ code: 'program-failed' });
    expect(machine.stores.MY.size).toBe(0);
    expect(await machine.read(KEY)).toBeUndefined();
    expect(await fresh().found()).toEqual([
      { what: 'keys in CNG (kiwistack-helper key-list: NCryptEnumKeys: error 0x80090020)', ours: false },
    ]);
    machine.cng.state = 'works';
    expect((await fresh().found()).map(({ ours }) => ours)).toEqual([true]);
    await fresh().remove(undefined);
    expect(await fresh().found()).toEqual([]);
  });
});

describe('what is wrong with it', () => {
  it.each([
    ['the key was removed', () => machine.cng.keys.clear(), 'its key is not in CNG any more'],
    [
      'the key was opened to others',
      () => machine.cng.keys.forEach((key) => (key.security = 'O:BAD:(A;;GA;;;WD)')),
      'the key of that name in CNG is another one, can be exported, or is open to others',
    ],
    [
      'the certificate was given another key',
      () => machine.stores.MY.forEach((one, hash) => machine.stores.MY.set(hash, { ...one, key: 'another' })),
      String.raw`in LocalMachine\My the certificate goes with another key`,
    ],
    [
      'the certificate was removed',
      () => {
        machine.stores.MY.clear();
      },
      String.raw`LocalMachine\My does not have the certificate`,
    ],
  ])('is said and mended: %s', async (_what, spoil, detail) => {
    const certificate = await installed();
    spoil();
    expect(await fresh().systemUse('acme')).toMatchObject({ code: 'certificate-keyless', detail });
    expect(await fresh().verify('acme', certificate)).toBe(false);
    await fresh().giveToSystem('acme');
    await expectWhole(certificate);
  });

  it('is no reason to import the key again where nothing is wrong', async () => {
    const { leaf } = await installed();
    await fresh().giveToSystem('acme');
    expect(machine.ran.filter((line) => line.includes('key-add'))).toHaveLength(1);
    expect(await machine.read('ProgramData/KiwiStack/Certificates/acme.crt')).toContain(leaf.pem);
  });
});
