import { readdir } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fingerprintOf } from '../../../../src/laptop/fingerprint/collect-fingerprint.ts';
import { uninstall } from '../../../../src/laptop/enrollment/uninstall.ts';
import { SeenFile } from '../../../../src/laptop/state/seen.ts';
import { SLICE_PARTS } from '../../../../src/protocol/slice-parts.ts';
import { check } from '../../../../src/laptop/upkeep/check.ts';
import { openCompact } from '../../../../src/pki/jws.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import type { EndReason } from '../../../../src/protocol/device-messages.ts';
import { enrolledLaptop, SALT, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { hangUp } from '../gateway-client/local-gateway.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
beforeEach(async () => {
  laptop = await enrolledLaptop();
});
afterEach(async () => {
  await laptop.end();
});

const checks = () => check(laptop.context, () => undefined);
const ends = (endReason: EndReason | null) =>
  answerSigned(laptop.slice, { content: { state: 'ended', endReason, fleet: null } });

describe('a check', () => {
  it.each(['offboarded', 'churn'] as const)('removes an enrollment that ended as %s', async (endReason) => {
    laptop.gateway.answer(ends(endReason));
    expect(await checks()).toMatchObject({ enrollment: { removed: { leftBehind: [] } } });
    expect(laptop.removed).toEqual(['agent', 'tunnel', 'roots', 'key and certificate']);
    expect(await readdir(laptop.stateFolder).catch(() => 'gone')).toBe('gone');
    expect(laptop.gateway.seen).toHaveLength(1);
  });

  it.each(['lost', 'superseded', 'uninstalled', 'unconfirmed', 'enrollment-failed', 'yubikey-burned', null] as const)(
    'leaves everything of one that ended as %s, and says so',
    async (endReason) => {
      laptop.gateway.answer(ends(endReason));
      expect(await checks()).toMatchObject({ enrollment: { slice: { state: 'ended', endReason } } });
      expect(laptop.removed).toEqual([]);
      expect(await readdir(laptop.stateFolder)).toContain('enrollment.json');
    },
  );

  it('changes nothing when the slice is down, or when another party claims that the laptop was offboarded', async () => {
    laptop.gateway.answer(hangUp);
    expect(await checks()).toMatchObject({ enrollment: { slice: { code: 'gateway-unreachable' } } });
    const content = { state: 'ended', endReason: 'churn' } as const;
    laptop.gateway.answer(answerSigned(laptop.slice, { content, key: generateP256() }));
    expect(await checks()).toMatchObject({ enrollment: { slice: { code: 'slice-not-proven' } } });
    expect(laptop.removed).toEqual([]);
  });

  it('lets the tunnel follow a slice that has moved, and says when it does not answer anywhere', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    expect(await checks()).toMatchObject({ enrollment: { tunnel: {} } });
    expect(laptop.followed).toEqual([]);
    laptop.sliceEndpoint = '203.0.113.11:51820';
    expect(await checks()).toMatchObject({ enrollment: { tunnel: { followedTo: '203.0.113.11:51820' } } });
    expect(laptop.followed).toEqual(['vpn.acme.example:51820', '127.0.0.1:51820']);
    laptop.sliceEndpoint = undefined;
    expect(await checks()).toMatchObject({ enrollment: { tunnel: { error: { code: 'udp-blocked' } } } });
    laptop.gateway.answer(ends('lost'));
    expect((await checks()).enrollment?.tunnel).toBeUndefined();
  });

  it('keeps what it saw of the slice, until the enrollment is gone', async () => {
    const seen = new SeenFile(laptop.stateFolder);
    const parts = { ca: false, endpoint: true, offlineDays: 3 };
    const extensions = { [SLICE_PARTS]: { critical: false, value: parts } };
    laptop.gateway.answer(answerSigned(laptop.slice, { content: { extensions } }));
    await checks();
    const answeredAt = new Date(laptop.now).toISOString();
    expect(await seen.load()).toEqual({ answeredAt, parts, told: [] });
    laptop.gateway.answer(hangUp);
    laptop.now += 13 * 3_600_000;
    await checks();
    const renewal = { at: new Date(laptop.now).toISOString(), code: 'gateway-unreachable' };
    expect(await seen.load()).toEqual({ answeredAt, parts, renewal, told: [] });
    laptop.gateway.answer(hangUp);
    await uninstall(laptop.context, () => undefined);
    expect(await readdir(laptop.stateFolder)).toEqual(['farewell.json']);
  });

  it('tells the slice on what hardware it runs, in the form of the enrollment', async () => {
    laptop.gateway.answer(answerSigned(laptop.slice));
    expect(await checks()).toMatchObject({ enrollment: { slice: { state: 'active' } } });
    const { payload } = openCompact(laptop.gateway.seen[0]?.body.toString() ?? '', TYP.status);
    const said = JSON.parse(payload.toString()) as object;
    expect(said).toMatchObject({ fingerprint: fingerprintOf(laptop.hardware, Buffer.from(SALT, 'base64url')) });
  });
});
