import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { enrollmentStatus } from '../../../../src/laptop/enrollment/enrollment-status.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
});
afterEach(async () => {
  await laptop.end();
});

const notWell = async (): Promise<readonly string[]> =>
  ((await enrollmentStatus(laptop.context))?.checks ?? [])
    .filter(({ state }) => state === 'not-well')
    .map(({ code, error }) => `${code}: ${error?.code ?? ''}`);

const notLookedAt = async (because: string): Promise<readonly string[]> =>
  ((await enrollmentStatus(laptop.context))?.checks ?? [])
    .filter((outcome) => outcome.because?.includes(because) === true)
    .map(({ code }) => code);

describe('the status of an enrollment', () => {
  it('is healthy when every check is well', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    expect(await notWell()).toEqual([]);
    expect((await enrollmentStatus(laptop.context))?.healthy).toBe(true);
  });

  it('names each part that is not well, and what was not looked at because of it', async () => {
    laptop.gateway.answer(hangUp);
    laptop.tunnel.up = false;
    laptop.key = undefined;
    expect(await notWell()).toEqual([
      'device-key: state-damaged',
      'certificate-present: enrollment-unhealthy',
      'tunnel-up: enrollment-unhealthy',
    ]);
    expect(await notLookedAt('tunnel-up')).toEqual(expect.arrayContaining(['routes', 'tunnel-inside', 'dns-split']));
    expect(await notLookedAt('device-key')).toContain('slice-answers');
    expect(await notLookedAt('slice-answers')).toEqual(expect.arrayContaining(['slice-active', 'hardware']));
    expect((await enrollmentStatus(laptop.context))?.healthy).toBe(false);
  });

  it('of a device that has ended is what the slice says, whatever else does not work because of that', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice, { content: { state: 'ended', endReason: 'lost', fleet: null } }));
    laptop.tunnel.up = false;
    const reason = (await enrollmentStatus(laptop.context))?.reason;
    expect(reason).toMatchObject({ code: 'device-ended', detail: 'lost', exitCode: 4 });
    expect(reason?.hint).toContain('kiwistack-enroll uninstall');
  });

  it('without a network is that the slice cannot be reached, no fault of this laptop', async () => {
    laptop.gateway.answer(hangUp);
    expect((await enrollmentStatus(laptop.context))?.reason).toMatchObject({
      code: 'gateway-unreachable',
      exitCode: 5,
    });
  });

  it('past the 24 hours of the certificate says that renewing helps, or else enrolling again', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    await laptop.expire();
    const reason = (await enrollmentStatus(laptop.context))?.reason;
    expect(reason).toMatchObject({ code: 'device-certificate-expired', exitCode: 3 });
    expect(reason?.hint).toMatch(/kiwistack-enroll renew.*kiwistack-enroll enroll/);
  });

  it('sees that the slice has another address than the tunnel', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    laptop.sliceEndpoint = '203.0.113.11:51820';
    expect(await notWell()).toEqual(['tunnel-endpoint: tunnel-endpoint-moved', 'tunnel-inside: tunnel-no-handshake']);
    expect(await notLookedAt('tunnel-inside')).toContain('packet-size');
  });

  it('sees that large packets get lost', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    laptop.pathMtu = 1340;
    expect(await notWell()).toEqual(['packet-size: tunnel-packet-size']);
    expect(laptop.tunnel.mtu).toBe(1420);
  });

  it('sees a network that came to overlap', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    laptop.localNetworks.push({ kind: 'route', interface: 'wlan0', network: '10.77.1.0/24' });
    expect(await notWell()).toEqual(['networks: network-overlap']);
  });

  it('is healthy, with a warning, while a copy of the enrollment is used elsewhere', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice, { content: { hardware: 'seen-elsewhere' } }));
    expect(await notWell()).toEqual(['hardware-copied: hardware-changed']);
    expect((await enrollmentStatus(laptop.context))?.healthy).toBe(true);
  });
});
