import { describe, expect, it } from 'vitest';

import { openDeviceStatus } from '../../../../src/laptop/exchange/open-device-status.ts';
import { DAY } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { EKU, intermediateName } from '../../../../src/pki/roles.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import { issue, makeGateway, NOW } from '../../pki/test-authority.ts';
import * as examples from '../../protocol/examples.ts';
import { authorityOf, makeSlice, signStatus, type Bend, type Slice } from '../gateway-client/signed-answers.ts';

const slice = await makeSlice();
const sibling = await makeSlice(slice.root, { subject: { cn: intermediateName('beta'), o: 'Acme GmbH' } });
const renamed = await makeSlice(slice.root, { subject: { cn: intermediateName('acme'), o: 'Beta School' } });
const next = await makeSlice(slice.root, { notBefore: new Date(NOW.getTime() - 1000) });
const former = await makeSlice(slice.root, { notBefore: new Date(NOW.getTime() - 2 * DAY) });
const stranger = await makeSlice();
const laptop = await issue('anna-laptop', { issuer: slice.intermediate, extendedKeyUsages: [EKU.clientAuth] });
const expired = await makeGateway(slice.intermediate, { notAfter: new Date(NOW.getTime() - 1000) });

const REQUEST = 'the.request.jws';
const AT = Date.parse(examples.deviceStatus.serverTime);
const asked = { request: REQUEST, deviceId: examples.ID.device, slice: authorityOf(slice), now: AT };
const open = async (bend: Bend, by: Slice = slice, now = AT): Promise<unknown> =>
  openDeviceStatus(await signStatus(by, REQUEST, bend), { ...asked, now }).status;

describe('an answer about a device', () => {
  it('is believed when the slice of the enrollment signed it, for this request', async () => {
    expect(await open({})).toMatchObject({ state: 'active', fleet: { green: true } });
  });

  it('is believed when the root vouches for a newer intermediate of the same customer', async () => {
    expect(await open({}, next)).toMatchObject({ state: 'active' });
    const renewed = { ...asked, slice: authorityOf(next) };
    expect(openDeviceStatus(await signStatus(next, REQUEST), renewed).status).toMatchObject({ state: 'active' });
  });

  const green = { ...examples.deviceStatus };
  it.each<[string, RegExp | undefined, Bend, Slice?]>([
    ['green, signed by an enrolled laptop', /role/, { signer: laptop }],
    ['ended, signed by a key of its own', /signature/, { key: generateP256(), content: { state: 'ended' } }],
    ['ended, by another customer of the same provider', /another slice/, { content: { state: 'ended' } }, sibling],
    [
      'ended, by a customer of the same slug and another name',
      /another slice/,
      { content: { state: 'ended' } },
      renamed,
    ],
    ['ended, by a slice under another root', /signature/, { content: { state: 'ended' } }, stranger],
    ['ended, by the intermediate that ours took the place of', /older/, { content: { state: 'ended' } }, former],
    ['of another slice under this one\u2019s intermediate', /chain|issuer|signature/i, { signer: sibling.gateway }],
    ['by a gateway whose certificate is out of date', /date|expired|valid/i, { signer: expired }],
    ['to another request: a replay', /another request/, { content: { requestHash: examples.confirm.grantHash } }],
    ['about another device', /another device/, { content: { deviceId: examples.ID.session } }],
    ['of another typ', /typ/, { typ: TYP.grant }],
    ['without its intermediate', /x5c/, { x5c: [slice.gateway.certificate.der] }],
    ['that is no JSON', undefined, { payload: 'x' }],
    ['in an unknown state', undefined, { payload: JSON.stringify({ ...green, state: 'happy' }) }],
    ['with a field more', undefined, { payload: JSON.stringify({ ...green, more: 1 }) }],
  ])('%s is not', async (_what, why, bend, by) => {
    const detail: unknown = why === undefined ? expect.any(String) : expect.stringMatching(why);
    await expect(open(bend, by)).rejects.toMatchObject({ code: 'slice-not-proven', detail });
  });

  it.each([
    [-10, 'taken'],
    [10, 'taken'],
    [-11, "clock-skew: the slice's clock is 11 minutes behind ours"],
    [11, "clock-skew: the slice's clock is 11 minutes ahead of ours"],
  ])('of a clock that is %i minutes ahead: %s', async (minutes, outcome) => {
    const content = { serverTime: new Date(AT + minutes * 60_000).toISOString() };
    const answer = await signStatus(slice, REQUEST, { content });
    if (outcome === 'taken') expect(openDeviceStatus(answer, asked).skewMs).toBe(minutes * 60_000);
    else await expect(open({ content })).rejects.toMatchObject({ code: 'clock-skew', detail: outcome.slice(12) });
  });

  it('is not when a certificate that ended in March says in November that the laptop is offboarded', async () => {
    const march = await makeGateway(slice.intermediate, { notAfter: new Date(AT + 60_000) });
    const content = { state: 'ended', endReason: 'offboarded' } as const;
    expect(await open({ content, signer: march })).toMatchObject(content);
    const november = Date.parse('2026-11-26T12:00:00.000Z');
    await expect(open({ content, signer: march }, slice, november)).rejects.toMatchObject({ code: 'clock-skew' });
    const now = { ...content, serverTime: new Date(november).toISOString() };
    await expect(open({ content: now, signer: march }, slice, november)).rejects.toMatchObject({
      code: 'slice-not-proven',
      detail: 'leaf: expired',
    });
  });

  it('is not when the root is no longer pinned', async () => {
    const answer = await signStatus(slice, REQUEST);
    const known = { intermediate: slice.intermediate.certificate, roots: [stranger.root.certificate] };
    expect(() => openDeviceStatus(answer, { ...asked, slice: known })).toThrow(
      expect.objectContaining({ name: 'KiwiError' }) as Error,
    );
  });

  it('is not when a bit of it was changed', async () => {
    const [header, payload, signature] = (await signStatus(slice, REQUEST)).split('.');
    const bent = Buffer.from(payload ?? '', 'base64url')
      .toString()
      .replace('"active"', '"ended"');
    const answer = [header, Buffer.from(bent).toString('base64url'), signature].join('.');
    expect(() => openDeviceStatus(answer, asked)).toThrow(expect.objectContaining({ detail: 'signature' }) as Error);
  });
});
