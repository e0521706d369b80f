import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { mend } from '../../../../src/laptop/upkeep/mend.ts';
import type { TunnelCare } from '../../../../src/laptop/upkeep/mend-tunnel.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  laptop.gateway.answer(answerSigned(laptop.slice));
});
afterEach(async () => {
  await laptop.end();
});

const mended = async (): Promise<TunnelCare> => (await mend(laptop.context, 'silent')).tunnel;

describe('a tunnel', () => {
  it('that answers is left alone, and the slice is not asked', async () => {
    expect(await mended()).toEqual({});
    expect(laptop.rungs).toEqual([]);
    expect(laptop.gateway.seen).toEqual([]);
  });

  it('of a laptop with a new address is nudged, and not more', async () => {
    laptop.oldSource = true;
    expect(await mended()).toEqual({ mendedBy: 'nudge' });
    expect(laptop.rungs).toEqual(['nudge']);
  });

  it('whose slice was restarted gets its peer anew', async () => {
    laptop.forgotten = true;
    expect(await mended()).toEqual({ mendedBy: 'readd' });
    expect(laptop.rungs).toEqual(['nudge', 'readd']);
    expect(laptop.followed).toEqual([]);
  });

  it('follows a slice that has moved', async () => {
    laptop.sliceEndpoint = '203.0.113.11:51820';
    expect(await mended()).toEqual({ mendedBy: 'race', followedTo: '203.0.113.11:51820' });
    expect(laptop.rungs).toEqual(['nudge', 'readd']);
    expect(laptop.followed).toEqual(['vpn.acme.example:51820', '127.0.0.1:51820']);
  });

  it('that somebody has stopped stays stopped', async () => {
    laptop.tunnel.up = false;
    expect(await mended()).toEqual({});
    expect(laptop.rungs).toEqual([]);
  });
});

describe('a tunnel that stays silent', () => {
  const code = async (): Promise<string | undefined> => (await mended()).error?.code;
  beforeEach(() => {
    laptop.sliceEndpoint = undefined;
  });

  it('has no network', async () => {
    laptop.online = false;
    expect(await code()).toBe('no-network');
    expect(laptop.gateway.seen).toEqual([]);
  });

  it('has no address to talk to', async () => {
    laptop.resolves = false;
    const { error } = await mended();
    expect(error).toMatchObject({ code: 'endpoint-unresolved' });
    expect(error?.detail).toContain('vpn.acme.example:51820');
  });

  it('is blocked where the gateway answers', async () => {
    const { error } = await mended();
    expect(error).toMatchObject({ code: 'udp-blocked' });
    expect(error?.detail).toContain(laptop.tunnel.endpoint);
  });

  it('was taken away where the slice says that this laptop has ended', async () => {
    const ended = { state: 'ended', endReason: 'lost', fleet: null } as const;
    laptop.gateway.answer(answerSigned(laptop.slice, { content: ended }));
    expect(await code()).toBe('device-ended');
  });

  it('has a slice that does not answer at all', async () => {
    laptop.gateway.answer(hangUp);
    const { error } = await mended();
    expect(error).toMatchObject({ code: 'slice-silent' });
    expect(error?.detail).toContain('gateway-unreachable');
  });
});

describe('the size of packets', () => {
  it.each([1419, 1340, 1341, 1200, 579, 576])('is lowered to what a path of %i bytes carries', async (pathMtu) => {
    laptop.pathMtu = pathMtu;
    expect(await mended()).toEqual({ mtuLoweredTo: laptop.tunnel.mtu });
    expect(laptop.tunnel.mtu).toBeLessThanOrEqual(pathMtu);
    expect(laptop.tunnel.mtu).toBeGreaterThan(pathMtu - 4);
    expect(await mended()).toEqual({});
  });

  it.each([1420, 1400, 1288])('is raised again on a path of %i bytes', async (pathMtu) => {
    laptop.tunnel.mtu = 1280;
    laptop.pathMtu = pathMtu;
    expect(await mended()).toEqual({ mtuRaisedTo: laptop.tunnel.mtu });
    expect(laptop.tunnel.mtu).toBeLessThanOrEqual(pathMtu);
    expect(laptop.tunnel.mtu).toBeGreaterThan(pathMtu - 4);
    expect(await mended()).toEqual({});
  });

  it('stays on a path that carries no more', async () => {
    laptop.tunnel.mtu = 1280;
    laptop.pathMtu = 1281;
    expect(await mended()).toEqual({});
    expect(laptop.tunnel.mtu).toBe(1280);
  });

  it('has no useful value on a path that carries next to nothing', async () => {
    laptop.pathMtu = 500;
    expect(await mended()).toMatchObject({ error: { code: 'tunnel-packet-size' } });
    expect(laptop.tunnel.mtu).toBe(1420);
  });
});
