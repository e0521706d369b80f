import { beforeEach, describe, expect, it } from 'vitest';
import { encodeTlv } from '../../virtual-yubikey/wire/tlv.ts';
import { padded, TestCard } from './test-card.ts';

const NEVER = 1;
const ONCE = 2;
const ALWAYS = 3;
const TOUCH_ALWAYS = 2;
const TOUCH_CACHED = 3;
const TWO_PINS = (first: string, second: string): Buffer => Buffer.concat([padded(first), padded(second)]);

describe('PIN policy', () => {
  let card: TestCard;
  beforeEach(async () => {
    card = new TestCard();
    await card.select();
    await card.authenticate();
    await card.generate('9c', ALWAYS, NEVER);
    await card.generate('9a', ONCE, NEVER);
    await card.generate('9e', NEVER, NEVER);
  });

  it('"always" is satisfied by a PIN in the command just before, and used up by it', async () => {
    expect(await card.sign('9c')).toBe('6982');
    expect(await card.verify('123456')).toBe('9000');
    expect(await card.sign('9c')).toBe('9000');
    expect(await card.sign('9c')).toBe('6982');
  });

  it.each([
    ['a data object is read', '00 cb 3f ff', '5c017e'],
    ['PIV is selected again', '00 a4 04 00', 'a000000308'],
    ['the tries left are asked', '00 20 00 80', ''],
    ['the version is asked', '00 fd 00 00', ''],
  ])('"always" is used up when %s in between', async (_what, header, data) => {
    await card.verify('123456');
    await card.send(header, Buffer.from(data, 'hex'));
    expect(await card.sign('9c')).toBe('6982');
    expect(await card.sign('9a')).toBe('9000');
  });

  it('"once" lasts until a wrong PIN, a logout, another application, or loss of power', async () => {
    for (const end of [
      () => card.verify('999999'),
      () => card.status('00 20 ff 80'),
      () => card.status('00 a4 04 00', Buffer.from('a000000527471117', 'hex')),
      () => {
        card.card.powerCycle();
        return Promise.resolve('');
      },
    ]) {
      await card.verify('123456');
      expect(await card.sign('9a')).toBe('9000');
      expect(await card.sign('9a')).toBe('9000');
      await end();
      await card.select();
      expect(await card.sign('9a')).toBe('6982');
    }
  });

  it('"never" signs without', async () => {
    expect(await card.sign('9e')).toBe('9000');
  });
});

describe('touch policy', () => {
  it('"always" asks each time and answers 6982 without; the PIN is asked first', async () => {
    const card = new TestCard();
    await card.select();
    await card.authenticate();
    await card.generate('9c', ONCE, TOUCH_ALWAYS);
    expect(await card.sign('9c')).toBe('6982');
    expect(card.touchesAsked).toBe(0);
    await card.verify('123456');
    expect(await card.sign('9c')).toBe('9000');
    card.touched = false;
    expect(await card.sign('9c')).toBe('6982');
    expect(card.touchesAsked).toBe(2);
  });

  it('"cached" asks again after 15 seconds', async () => {
    const card = new TestCard();
    await card.select();
    await card.authenticate();
    await card.generate('9e', NEVER, TOUCH_CACHED);
    const touchesAt = async (now: number): Promise<number> => {
      card.now = now;
      expect(await card.sign('9e')).toBe('9000');
      return card.touchesAsked;
    };
    expect(await touchesAt(1_000)).toBe(1);
    expect(await touchesAt(15_999)).toBe(1);
    expect(await touchesAt(16_000)).toBe(2);
  });
});

describe('PIN and PUK', () => {
  it('count down, block, and are unblocked by the PUK; a right PIN restores the tries', async () => {
    const card = new TestCard();
    await card.select();
    expect(await card.verify('999999')).toBe('63c2');
    expect(await card.verify('123456')).toBe('9000');
    expect(await card.status('00 20 ff 80')).toBe('9000');
    expect(await card.status('00 20 00 80')).toBe('63c3');
    expect([await card.verify('1'), await card.verify('2'), await card.verify('3')]).toEqual(['63c2', '63c1', '63c0']);
    expect(await card.verify('123456')).toBe('6983');
    expect(await card.status('00 20 00 80')).toBe('6983');
    expect(await card.status('00 2c 00 80', TWO_PINS('87654321', '654321'))).toBe('63c2');
    expect(await card.status('00 2c 00 80', TWO_PINS('12345678', '654321'))).toBe('9000');
    expect(await card.verify('654321')).toBe('9000');
  });

  it('answer 6983 to the last wrong try with firmware 5.7', async () => {
    const card = new TestCard({ firmware: '5.7.4' });
    await card.select();
    expect([await card.verify('1'), await card.verify('2'), await card.verify('3')]).toEqual(['63c2', '63c1', '6983']);
  });

  it('pay the try before comparing, so that pulling the key gives no free guess', async () => {
    const card = new TestCard();
    await card.select();
    await card.verify('999999');
    expect(card.saves).toBe(1);
    expect(card.state.pin.left).toBe(2);
  });

  it('refuse a value of the wrong total length without paying a try', async () => {
    const card = new TestCard();
    await card.select();
    expect(await card.status('00 20 00 80', Buffer.from('12345'))).toBe('6a80');
    expect(await card.status('00 20 00 81', padded('123456'))).toBe('6a88');
    expect(await card.status('00 20 00 96', padded('123456'))).toBe('6a88');
    for (const header of ['00 24 00 80', '00 24 00 81', '00 2c 00 80']) {
      expect(await card.status(header, TWO_PINS('999999', '654321').subarray(1))).toBe('6a80');
    }
    expect([card.state.pin.left, card.state.puk.left]).toEqual([3, 3]);
  });

  it('pay a try for a wrong old value whatever the new one is; one that is too short is refused after it', async () => {
    const card = new TestCard();
    await card.select();
    const [changePin, changePuk, unblock] = ['00 24 00 80', '00 24 00 81', '00 2c 00 80'] as const;
    const short = (old: string): Buffer => TWO_PINS(old, '12345');
    expect(await card.status(changePin, short('999999'))).toBe('63c2');
    expect(await card.status(changePuk, short('99999999'))).toBe('63c2');
    expect(await card.status(unblock, short('99999999'))).toBe('63c1');
    expect([card.state.pin.left, card.state.puk.left]).toEqual([2, 1]);
    // The old value was right: that restores its tries, and changes nothing else.
    expect(await card.status(changePin, short('123456'))).toBe('6985');
    expect(await card.status(changePuk, short('12345678'))).toBe('6985');
    expect(await card.status(unblock, short('12345678'))).toBe('6985');
    expect([card.state.pin.left, card.state.puk.left]).toEqual([3, 3]);
    expect(await card.verify('123456')).toBe('9000');
    expect(
      await card.status(changePin, Buffer.concat([padded('123456'), Buffer.from('31323334ff353637', 'hex')])),
    ).toBe('6985');
  });

  it('are blocked by sixteen bytes FF, as clients do before a reset', async () => {
    const card = new TestCard();
    await card.select();
    const blank = Buffer.alloc(16, 0xff);
    const unblock = (): Promise<string> => card.status('00 2c 00 80', blank);
    expect([await unblock(), await unblock(), await unblock(), await unblock()]).toEqual([
      '63c2',
      '63c1',
      '63c0',
      '6983',
    ]);
    for (let attempt = 0; attempt < 3; attempt++) await card.verify('');
    expect(await card.status('00 fb 00 00')).toBe('9000');
    expect(await card.verify('123456')).toBe('9000');
  });

  it('must have eight characters on a FIPS key', async () => {
    const card = new TestCard({ fips: true });
    await card.select();
    expect(await card.status('00 24 00 80', TWO_PINS('123456', '1234567'))).toBe('6985');
    expect(await card.status('00 24 00 80', TWO_PINS('123456', '87654321'))).toBe('9000');
  });
});

describe('management key', () => {
  it('guards writing, generating, importing and its own change', async () => {
    const card = new TestCard();
    await card.select();
    expect(await card.generate('9a', ONCE, NEVER)).toBe('6982');
    expect(await card.status('00 db 3f ff', Buffer.from('5c035fc1055300', 'hex'))).toBe('6982');
    expect(await card.status('00 fe 11 9a')).toBe('6982');
    expect(await card.status('00 ff ff ff')).toBe('6982');
    const wrong = 'ff'.repeat(24);
    expect(await card.authenticate('des-ede3-ecb', '03', wrong)).toBe('6982');
    expect(await card.authenticate()).toBe('9000');
    expect(await card.generate('9a', ONCE, NEVER)).toBe('9000');
  });

  it.each([
    ['aes-128-ecb', '08', 16],
    ['aes-192-ecb', '0a', 24],
    ['aes-256-ecb', '0c', 32],
  ])('can be %s', async (name, algorithm, length) => {
    const card = new TestCard();
    await card.select();
    await card.authenticate();
    const key = Buffer.alloc(length, 0x5a);
    const data = Buffer.concat([Buffer.from(algorithm, 'hex'), encodeTlv(0x9b, key)]);
    expect(await card.status('00 ff ff ff', data)).toBe('9000');
    card.card.powerCycle();
    await card.select();
    expect(await card.authenticate()).toBe('6a80');
    expect(await card.authenticate(name, algorithm, key.toString('hex'))).toBe('9000');
  });

  it('can ask for a touch', async () => {
    const card = new TestCard();
    await card.select();
    await card.authenticate();
    const data = Buffer.concat([Buffer.of(0x03), encodeTlv(0x9b, Buffer.alloc(24, 0x5a))]);
    expect(await card.status('00 ff ff fe', data)).toBe('9000');
    const authenticate = (): Promise<string> => card.authenticate('des-ede3-ecb', '03', '5a'.repeat(24));
    expect([await authenticate(), card.touchesAsked]).toEqual(['9000', 1]);
    card.touched = false;
    expect([await authenticate(), card.touchesAsked]).toEqual(['6982', 2]);
  });

  it('is AES-192 by default from firmware 5.7 on', async () => {
    const card = new TestCard({ firmware: '5.7.4' });
    await card.select();
    expect(await card.authenticate()).toBe('6a80');
    expect(await card.authenticate('aes-192-ecb', '0a')).toBe('9000');
  });
});

describe('moving keys', () => {
  it('moves and deletes with firmware 5.7, and is unknown before', async () => {
    const old = new TestCard();
    await old.select();
    expect(await old.status('00 f6 82 9c')).toBe('6d00');
    const card = new TestCard({ firmware: '5.7.4' });
    await card.select();
    expect(await card.status('00 f6 82 9c')).toBe('6982');
    await card.authenticate('aes-192-ecb', '0a');
    await card.generate('9c', NEVER, NEVER);
    expect(await card.status('00 f6 82 9c')).toBe('9000');
    expect([await card.sign('9c'), await card.sign('82')]).toEqual(['6a80', '9000']);
    expect(await card.status('00 f6 ff 82')).toBe('9000');
    expect(await card.sign('82')).toBe('6a80');
  });
});

describe('data objects and framing', () => {
  it('survive chaining and GET RESPONSE, and are deleted by an empty one', async () => {
    const card = new TestCard();
    await card.select();
    await card.authenticate();
    const content = Buffer.alloc(1500, 0xab);
    const put = (value: Buffer): Promise<string> =>
      card.status('00 db 3f ff', Buffer.concat([Buffer.from('5c035fc10a', 'hex'), encodeTlv(0x53, value)]));
    const get = (): Promise<{ data: Buffer; status: string }> =>
      card.send('00 cb 3f ff', Buffer.from('5c035fc10a', 'hex'));
    expect(await put(content)).toBe('9000');
    expect((await get()).data.equals(encodeTlv(0x53, content))).toBe(true);
    expect(await put(Buffer.alloc(3053))).toBe('6a84');
    expect(await put(Buffer.alloc(0))).toBe('9000');
    expect((await get()).status).toBe('6a82');
  });

  it.each([
    ['printed information', '5fc109'],
    ['fingerprints', '5fc103'],
    ['the face', '5fc108'],
    ['the iris', '5fc121'],
  ])('need the PIN for %s, and do not tell without it whether it is there', async (_what, id) => {
    const [there, absent] = [new TestCard({ objects: { [id]: '00' } }), new TestCard()];
    const read = (card: TestCard): Promise<string> => card.status('00 cb 3f ff', Buffer.from(`5c03${id}`, 'hex'));
    for (const card of [there, absent]) {
      await card.select();
      expect(await read(card)).toBe('6982');
      await card.verify('123456');
    }
    expect([await read(there), await read(absent)]).toEqual(['9000', '6a82']);
  });

  it.each([
    ['another class', '80 fd 00 00', '', '6e00'],
    ['an unknown instruction', '00 01 00 00', '', '6d00'],
    ['an unknown application', '00 a4 04 00', 'd27600012401', '6a82'],
    ['to attest a slot that does not exist', '00 f9 81 00', '', '6a88'],
    ['to tell of a slot that does not exist', '00 f7 00 9f', '', '6a88'],
    ['to tell of fingerprints, which a Bio has', '00 f7 00 96', '', '6a88'],
    ['to tell of an empty slot', '00 f7 00 82', '', '6a88'],
    ['to sign with a slot that does not exist', '00 87 11 96', '7c0482008101', '6a80'],
    ['an empty slot', '00 f9 9a 00', '', '6a88'],
    ['bytes that are no TLV', '00 87 11 9a', '7c05', '6a80'],
    ['reset while PIN and PUK have tries', '00 fb 00 00', '', '6985'],
  ])('refuses %s', async (_what, header, data, status) => {
    const card = new TestCard();
    await card.select();
    expect(await card.status(header, Buffer.from(data, 'hex'))).toBe(status);
  });
});
