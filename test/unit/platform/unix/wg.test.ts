import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { wgNudge, wgRace, wgReadd } from '../../../../platform/unix/wg.ts';
import { FakeLinux } from '../linux/fake-linux.ts';

const NAME = 'kiwi-acme';
const PEER = Buffer.alloc(32, 2).toString('base64');
const SECRET = Buffer.alloc(32, 1).toString('base64');

/** A running interface with one peer, which shakes hands with the endpoints that answer. */
class Interface {
  endpoint = '192.0.2.1:51820';
  handshake = 0;
  /** Lines of `wg show NAME dump` for peers that somebody else has added. */
  others = '';
  /** Every configuration that it was given. */
  readonly given: string[] = [];
  readonly answering = new Set<string>();
  readonly machine: FakeLinux;

  constructor(machine: FakeLinux) {
    this.machine = machine;
  }

  async install(): Promise<void> {
    await this.machine.install('/usr/bin/wg', async ([verb, , file]) => {
      if (verb === 'showconf') {
        return `[Interface]\nPrivateKey = ${SECRET}\n\n[Peer]\nPublicKey = ${PEER}\nEndpoint = ${this.endpoint}\n`;
      }
      if (verb === 'show') {
        const seconds = Math.floor(this.handshake / 1000);
        return `PRIVATE\tPUBLIC\t1\toff\n${PEER}\tPSK\t${this.endpoint}\t10.77.0.0/24\t${seconds}\t5\t6\t25\n${this.others}`;
      }
      if (verb !== 'setconf') return;
      const text = (await this.machine.read((file ?? '').slice(this.machine.root.length))) ?? '';
      this.given.push(text);
      this.endpoint = /^Endpoint = (.*)$/m.exec(text)?.[1] ?? '';
      this.handshake = this.answering.has(this.endpoint) ? this.machine.time : 0;
      return;
    });
  }
}

let machine: FakeLinux;
let wg: Interface;
beforeEach(async () => {
  machine = await FakeLinux.make();
  wg = new Interface(machine);
  await wg.install();
});
afterEach(async () => {
  expect(machine.ran.join('\n')).not.toContain(SECRET);
  expect(await machine.files('/run')).toEqual([]);
  await machine.destroy();
});

describe('a running interface', () => {
  it('is nudged by setting the endpoint that is in use', async () => {
    await wgNudge(machine, NAME);
    expect(machine.ran.at(-1)).toBe(`wg set ${NAME} peer ${PEER} endpoint 192.0.2.1:51820`);
    expect(wg.given).toEqual([]);
  });

  it('is nudged at each peer that has an endpoint', async () => {
    const [stranger, silent] = [7, 8].map((byte) => Buffer.alloc(32, byte).toString('base64'));
    wg.others = `${stranger ?? ''}\t(none)\t192.0.2.9:1\t(none)\t0\t0\t0\toff\n${silent ?? ''}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n`;
    await wgNudge(machine, NAME);
    expect(machine.ran.filter((line) => line.includes(' set '))).toEqual([
      `wg set ${NAME} peer ${PEER} endpoint 192.0.2.1:51820`,
      `wg set ${NAME} peer ${stranger ?? ''} endpoint 192.0.2.9:1`,
    ]);
  });

  it('gets its peer anew as it was, whoever configured it', async () => {
    wg.answering.add('192.0.2.1:51820');
    await wgReadd(machine, NAME);
    expect(wg.given).toEqual([expect.stringContaining('Endpoint = 192.0.2.1:51820\n')]);
    expect(wg.handshake).toBe(machine.time);
  });
});

describe('a race of endpoints', () => {
  const race = (...endpoints: string[]) => wgRace(machine, { name: NAME, peer: PEER, endpoints, ms: 12_000 });

  it('gives one that leads nowhere a quarter of a second', async () => {
    wg.answering.add('192.0.2.3:51820');
    const began = machine.time;
    expect(await race('[2001:db8::1]:51820', '192.0.2.2:51820', '192.0.2.3:51820')).toBe('192.0.2.3:51820');
    expect(wg.endpoint).toBe('192.0.2.3:51820');
    expect(machine.time - began).toBeLessThan(700);
  });

  it('gives each of them more time when none is quick, and gives up', async () => {
    const began = machine.time;
    expect(await race('192.0.2.2:51820', '192.0.2.3:51820')).toBeUndefined();
    expect(wg.given).toHaveLength(6);
    expect(machine.time - began).toBeGreaterThan(10_000);
    expect(await race()).toBeUndefined();
  });
});
