import { verify } from 'node:crypto';

import { beforeEach, describe, expect, it } from 'vitest';

import type { Clock } from '../../../src/core/clock.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { tokenOn, type EnrollmentKey, type Token } from '../../../src/token/token.ts';
import { FakeKeyHost, fakeYubikey } from './fake-key-host.ts';

let host: FakeKeyHost;
let token: Token;
let atSleep: (elapsed: number) => void | Promise<void>;

beforeEach(() => {
  host = new FakeKeyHost();
  atSleep = () => undefined;
  let now = 0;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      now += ms;
      await atSleep(now);
    },
  };
  token = tokenOn(host, clock);
});

describe('finding the enrollment key', () => {
  it('takes serial, slot and policies from the attestation', async () => {
    host.keys = [await fakeYubikey({ touch: 3 })];
    expect(await token.find()).toMatchObject({
      serial: 11111111,
      slot: '9c',
      pinPolicy: 'always',
      touchPolicy: 'cached',
      algorithm: 'ES256',
    });
  });

  it('refuses a key whose attestation names another serial or slot', async () => {
    host.keys = [await fakeYubikey({ attestedSerial: 99 })];
    await expect(token.find()).rejects.toMatchObject({ code: 'key-certificate-invalid' });
    host.keys = [await fakeYubikey({ attestedSlot: '9a' })];
    await expect(token.find()).rejects.toMatchObject({ code: 'key-certificate-invalid' });
  });

  it('finds the right key beside a broken one', async () => {
    host.keys = [await fakeYubikey({ serial: 1, attestedSerial: 99 }), await fakeYubikey({ serial: 2 })];
    expect(await token.find()).toMatchObject({ serial: 2 });
  });

  it('takes the certificate that ends last when one YubiKey has two', async () => {
    const [early, late] = [
      await fakeYubikey({ notAfter: new Date('2030-01-01') }),
      await fakeYubikey({ attestedSlot: '9a' }),
    ];
    const [slot9c] = early.reading.slots;
    const [other] = late.reading.slots;
    if (slot9c === undefined || other === undefined) throw new Error('a fake has one slot');
    host.keys = [{ ...late, reading: { ...late.reading, slots: [slot9c, { ...other, slot: '9a' }] } }];
    expect(await token.find()).toMatchObject({ slot: '9a' });
  });

  it.each([
    ['nothing plugged in', { states: [], held: [] }, 'key-absent'],
    ['an empty reader, as pcscd says', { states: state(false, false), held: ['R'] }, 'key-absent'],
    ['a card that another program holds', { states: state(true, true), held: ['R'] }, 'key-busy'],
    ['a reader without a key, and nobody to ask why', { states: undefined, held: ['R'] }, 'key-busy'],
  ])('says why there is none: %s', async (_, world, code) => {
    Object.assign(host, world);
    await expect(token.find({ waitMs: 0 })).rejects.toMatchObject({ code });
  });

  it('reports that a key is not enrolled, or that the requested one is not there', async () => {
    host.keys = [await fakeYubikey({ enrolled: false })];
    await expect(token.find({ waitMs: 0 })).rejects.toMatchObject({ code: 'key-not-enrolled' });
    await expect(token.find({ waitMs: 0, serial: 5 })).rejects.toMatchObject({ code: 'key-other' });
  });

  it('says again what is in the way when that has changed, and a service that hangs is not asked for keys', async () => {
    host.states = 'silent';
    const said: string[] = [];
    atSleep = async (elapsed) => {
      if (elapsed === 1000) host.states = [];
      if (elapsed === 2000) host.keys = [await fakeYubikey({ enrolled: false })];
      if (elapsed === 2000) host.states = state(true, false);
      if (elapsed === 3000) Object.assign(host, { held: ['R'], states: state(true, true) });
      if (elapsed === 4000) host.states = 'silent';
    };
    const waiting = token.find({
      waitMs: 5000,
      events: { waitingForKey: ({ code, detail }) => said.push(`${code} ${detail ?? ''}`) },
    });
    await expect(waiting).rejects.toMatchObject({ code: 'key-service-hangs' });
    expect(said).toEqual([
      'key-service-hangs ',
      'key-absent there is no smart-card reader',
      'key-not-enrolled plugged in: 11111111',
      'key-busy the one in R',
      'key-service-hangs ',
    ]);
    host.asked.length = 0;
    await expect(token.find({ waitMs: 0 })).rejects.toMatchObject({ code: 'key-service-hangs' });
    expect(host.asked).toEqual([]);
  });

  it('waits as long as it may, tells so once, and looks again only when something changed', async () => {
    host.keys = [await fakeYubikey({ enrolled: false })];
    host.states = [];
    let told = 0;
    const waiting = token.find({ waitMs: 10_000, events: { waitingForKey: () => told++ } });
    await expect(waiting).rejects.toMatchObject({ code: 'key-not-enrolled' });
    expect(told).toBe(1);
    expect(host.asked).toEqual(['presence', 'read', 'presence']);
  });

  it('finds a key that comes while it waits', async () => {
    const key = await fakeYubikey();
    atSleep = (elapsed) => {
      if (elapsed >= 3000) host.keys = [key];
    };
    expect(await token.find({ waitMs: 10_000 })).toMatchObject({ serial: 11111111 });
  });

  it('asks when there are several; an answer that names none of them is refused', async () => {
    host.keys = [await fakeYubikey({ serial: 1 }), await fakeYubikey({ serial: 2, customer: 'globex' })];
    await expect(token.find()).rejects.toMatchObject({ code: 'key-several', detail: 'serials 1, 2' });
    const offered: unknown[] = [];
    const several = (answer: number) => (keys: unknown[]) => {
      offered.push(...keys);
      return Promise.resolve(answer);
    };
    expect(await token.find({ events: { several: several(2) } })).toMatchObject({ serial: 2 });
    expect(offered).toEqual([
      { serial: 1, slot: '9c', role: 'staff', customer: 'acme' },
      { serial: 2, slot: '9c', role: 'staff', customer: 'globex' },
    ]);
    await expect(token.find({ events: { several: several(3) } })).rejects.toMatchObject({ code: 'key-several' });
    expect(await token.find({ serial: 1 })).toMatchObject({ serial: 1 });
  });

  it('stops when aborted', async () => {
    const abort = new AbortController();
    atSleep = () => abort.abort();
    await expect(token.find({ signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

function state(
  cardPresent: boolean,
  exclusive: boolean,
): { reader: string; cardPresent: boolean; exclusive: boolean }[] {
  return [{ reader: 'R', cardPresent, exclusive }];
}

describe('signing', () => {
  const data = Buffer.from('statement');
  let pin: SecretBytes;
  let key: EnrollmentKey;
  let events: string[];

  const signWith = (text: string, signal?: AbortSignal): Promise<Uint8Array> => {
    pin = new SecretBytes(Buffer.from(text));
    events = [];
    return token.sign(key, data, {
      askPin: (state, refused) => {
        if (refused !== undefined) throw refused;
        events.push(`pin ${state}`);
        return Promise.resolve(pin);
      },
      onTouchExpected: () => events.push('touch'),
      onTouched: () => events.push('touched'),
      ...(signal === undefined ? {} : { signal }),
    });
  };
  const expectCleared = (): void => {
    expect(() => pin.bytes).toThrow(TypeError);
  };

  beforeEach(async () => {
    host.keys = [await fakeYubikey()];
    key = await token.find();
    host.asked.length = 0;
  });

  it('asks once for the PIN, signs once, verifies, and clears the PIN', async () => {
    const signature = await signWith('123456');
    const publicKey = { key: key.certificate.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    expect(verify('sha256', data, publicKey, signature)).toBe(true);
    expect(events).toEqual(['pin ok', 'touch', 'touched']);
    expect(host.asked).toEqual(['presence', 'sign']);
    expect(host.pins).toEqual(['123456']);
    expectCleared();
  });

  it('never hands out a signature that another key made', async () => {
    host.signsWith = (await fakeYubikey()).privateKey;
    await expect(signWith('123456')).rejects.toMatchObject({ code: 'key-signature-invalid' });
    expectCleared();
  });

  it('has no prompt for a touch where the attested policy asks for none', async () => {
    host.keys = [await fakeYubikey({ touch: 1 })];
    key = await token.find();
    await signWith('123456');
    expect(events).toEqual(['pin ok']);
  });

  it('does not ask for a PIN that is locked', async () => {
    host.pinState = 'locked';
    await expect(signWith('123456')).rejects.toMatchObject({ code: 'pin-locked' });
    expect(events).toEqual([]);
  });

  it('asks again after a wrong PIN and after one that could not be one, with the tries left and the reason', async () => {
    const pins = ['654321', '12345', '123456'].map((text) => new SecretBytes(Buffer.from(text)));
    const asked: string[] = [];
    host.failure = 'pin-wrong';
    await token.sign(key, data, {
      askPin: (state, refused) => {
        asked.push(`${state} ${refused?.code ?? ''}`);
        if (asked.length === 2) host.pinState = 'low';
        if (asked.length === 3) host.failure = undefined;
        const next = pins[asked.length - 1];
        if (next === undefined) throw new TypeError('asked too often');
        return Promise.resolve(next);
      },
    });
    expect(asked).toEqual(['ok ', 'ok pin-wrong', 'low pin-malformed']);
    expect(host.pins).toEqual(['654321', '123456']);
    for (const used of pins) expect(() => used.bytes).toThrow(TypeError);
  });

  it.each([
    ['', 'too short'],
    ['12345', 'too short'],
    ['123456789', 'too long'],
    ['12345\n', 'it ends with a blank or a line end'],
    ['123456 ', 'it ends with a blank or a line end'],
    ['123456\t', 'it ends with a blank or a line end'],
    ['123456\r', 'it ends with a blank or a line end'],
    [' 123456', 'it begins with a blank'],
    ['pässword', 'a character that is not plain ASCII'],
    ['c'.repeat(44), 'too long: was the key touched while typing?'],
  ])('does not send what cannot be a PIN: %j', async (text, detail) => {
    await expect(signWith(text)).rejects.toMatchObject({ code: 'pin-malformed', detail });
    expect(host.pins).toEqual([]);
    expectCleared();
  });

  it('clears the PIN whatever goes wrong', async () => {
    for (const failure of ['pin-wrong', 'touch-timeout', 'key-removed'] as const) {
      host.failure = failure;
      await expect(signWith('123456')).rejects.toMatchObject({ code: failure });
      expect(events).not.toContain('touched');
      expectCleared();
    }
  });

  it('does not sign when it was cancelled while the PIN was typed', async () => {
    const abort = new AbortController();
    const typing = token.sign(key, data, {
      askPin: () => {
        abort.abort();
        pin = new SecretBytes(Buffer.from('123456'));
        return Promise.resolve(pin);
      },
      signal: abort.signal,
    });
    await expect(typing).rejects.toMatchObject({ name: 'AbortError' });
    expect(host.pins).toEqual([]);
    expectCleared();
  });

  it('asks for no PIN when the key is gone, or another one sits in its place', async () => {
    host.keys = [{ ...(await fakeYubikey({ serial: 5 })) }];
    await expect(signWith('123456')).rejects.toMatchObject({ code: 'key-changed' });
    host.keys = [];
    await expect(signWith('123456')).rejects.toMatchObject({ code: 'key-removed' });
    host.held = ['Yubico YubiKey 00'];
    await expect(signWith('123456')).rejects.toMatchObject({ code: 'key-busy' });
    expect(events).toEqual([]);
  });
});
