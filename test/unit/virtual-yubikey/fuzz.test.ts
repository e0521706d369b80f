import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadState, saveState, type KeyState } from '../../virtual-yubikey/key/state.ts';
import { encodeTlv } from '../../virtual-yubikey/wire/tlv.ts';
import { TestCard } from './test-card.ts';

const APDUS = 100_000;
/** Selected, logged in and started anew this often, the card is met in every state. */
const APDUS_A_SESSION = 100;
const STATUS_WORD = /^(?:9000|61..|63c.|6[79a-e]..)$/;
const ALGORITHMS = [0x03, 0x06, 0x07, 0x0a, 0x11, 0x14, 0xe0, 0xe1];
const REFERENCES = [0x80, 0x81, 0x82, 0x95, 0x96, 0x9a, 0x9b, 0x9c, 0x9e, 0xf9, 0xff, 0x00];
const TAGS = [0x01, 0x02, 0x06, 0x07, 0x08, 0x53, 0x5c, 0x70, 0x7c, 0x80, 0x81, 0x82, 0x85, 0x9b, 0xaa, 0xab, 0xac];
/** Commands with which the card does something, to be sent as they are or with a byte changed. */
const COMMANDS = [
  '00a4040005a000000308',
  '0020008008313233343536ffff',
  '0024008010313233343536ffff313233343536ffff',
  '002c0080103132333435363738313233343536ffff',
  '0047009a05ac03800111',
  '0047009e0bac09800111aa0101ab0103',
  '0047009c05ac038001e0',
  '0047008205ac038001e1',
  `0087119a267c2482008120${'07'.repeat(32)}`,
  `0087e09c0c7c0a82008106${'07'.repeat(6)}`,
  `0087e182267c2482008520${'09'.repeat(32)}`,
  `0087e182267c2482008520${'00'.repeat(32)}`,
  `0087119a477c458200854104${'07'.repeat(64)}`,
  '0087039b047c028000',
  '00cb3fff055c035fc105',
  '00cb3fff055c035fc109',
  '00db3fff0a5c035fc1055303700101',
  '00db3fff0d5c035fff015306700430023000',
  '00f6829a',
  '00f7009a',
  '00f99a00',
  '00fa0503',
  '00fb0000',
  `00fe119a220620${'05'.repeat(32)}`,
  `00feff9a00`,
].map((hex) => Buffer.from(hex, 'hex'));

/** Mulberry32: the same numbers for the same seed, so that a failure can be had again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000) * below);
  };
}

/** Four kinds of APDU: noise, noise in the form of an APDU, commands, and commands with a byte changed. */
function apduFrom(random: (below: number) => number): () => Buffer {
  const from = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[random(list.length)] as T;
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random(256)));
  const noise = (): Buffer => bytes(random(8) === 0 ? random(400) : random(8));
  const value = (): Buffer => from([bytes(random(4)), bytes(32), bytes(65), Buffer.of(from(ALGORITHMS))]);
  const tlvs = (): Buffer => Buffer.concat(Array.from({ length: random(4) }, () => encodeTlv(from(TAGS), value())));
  const shaped = (): Buffer => {
    const parameters = [from([0, 0x3f, 0xff, ...ALGORITHMS, ...REFERENCES]), from(REFERENCES)];
    const header = Buffer.of(random(6) === 0 ? 0x10 : 0, from(COMMANDS).readUInt8(1), ...parameters);
    const body = from([bytes(random(20)), tlvs(), encodeTlv(from([0x7c, 0xac]), tlvs())]);
    if (body.length < 256 && random(2) === 0) return Buffer.concat([header, Buffer.of(body.length), body]);
    return Buffer.concat([header, Buffer.of(0, body.length >> 8, body.length & 0xff), body]);
  };
  const changed = (): Buffer => {
    const apdu = Buffer.from(from(COMMANDS));
    apdu[random(apdu.length)] = random(256);
    return apdu;
  };
  return () => from([noise, shaped, () => from(COMMANDS), changed])();
}

/** Making an RSA key takes a second; what stands around it is the same for every kind of key. */
function asksForRsa(apdu: Buffer): boolean {
  return apdu[1] === 0x47 && /8001(?:05|06|07|16)/.test(apdu.toString('hex'));
}

async function logIn(card: TestCard, random: (below: number) => number): Promise<void> {
  if (random(8) > 0) await card.select();
  const { algorithm } = card.state.managementKey;
  if (random(2) === 0 && algorithm === 0x03) await card.authenticate();
  if (random(2) === 0 && algorithm === 0x0a) await card.authenticate('aes-192-ecb', '0a');
  if (random(2) === 0) await card.verify('123456');
}

it(`${APDUS} random APDUs are each answered with a status word, and the state file stays whole`, async () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(0x7fffffff));
  process.stdout.write(`random APDUs: FUZZ_SEED=${seed}\n`);
  const random = randomFrom(seed);
  const next = apduFrom(random);
  const directory = mkdtempSync(join(tmpdir(), 'virtual-yubikey-'));
  const file = join(directory, 'state.json');
  const seen = new Map<string, number>();
  let card = new TestCard();
  try {
    for (let count = 0; count < APDUS; count++) {
      if (count % APDUS_A_SESSION === 0) {
        const firmware = random(2) === 0 ? '5.4.3' : '5.7.4';
        let state: Partial<KeyState> = random(4) === 0 ? { firmware, fips: random(4) === 0 } : card.state;
        if (count % (10 * APDUS_A_SESSION) === 0) {
          saveState(file, card.state);
          state = loadState(file);
        }
        card = new TestCard(state);
        await logIn(card, random);
      }
      card.touched = random(2) === 0;
      const apdu = next();
      if (asksForRsa(apdu)) continue;
      const where = (): string => `seed ${seed}, APDU ${count}: ${apdu.toString('hex')}`;
      const answer = await card.card.transmit(apdu).catch((error: unknown) => {
        throw new Error(where(), { cause: error });
      });
      const status = answer.subarray(-2).toString('hex');
      if (!STATUS_WORD.test(status)) expect.fail(`${where()} is answered ${answer.toString('hex')}`);
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  const told = [...seen].map(([status, times]) => `${status} ${times}`).join(', ');
  // Every end there is was met: the APDUs went deep enough to mean something.
  for (const status of [
    '9000',
    '6700',
    '6982',
    '6983',
    '6985',
    '6a80',
    '6a82',
    '6a86',
    '6a88',
    '6b00',
    '6d00',
    '6e00',
  ]) {
    expect(seen.get(status) ?? 0, `${status} of ${told}`).toBeGreaterThan(0);
  }
}, 120_000);
