import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64url, digest } from '../../../src/core/bytes.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { LIMITS, MEDIA, PROTOCOL, TYP } from '../../../src/protocol/common.ts';
import { writeBundle, type BundleManifest } from '../../../src/protocol/support-bundle.ts';
import { BUNDLES } from '../../../src/slice/decisions/bundle-limits.ts';
import { reap } from '../../../src/slice/upkeep/reap.ts';
import type { SliceContext } from '../../../src/slice/slice-context.ts';
import { PATHS, readStatus, signDeviceMessage, type Answer } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type ProvisionedKey, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, codeOf, enroll, enrollAndConfirm, type Enrolled } from './enrolling.ts';

// Support bundles on their way from a laptop to an operator: the gateway and the registry are real.

let slice: TestSlice;
let key: ProvisionedKey;
beforeAll(async () => {
  slice = await startTestSlice();
  key = await slice.provision({ serial: 40_000_002 });
});
afterAll(() => slice.remove());

const context = (): SliceContext => slice.running.context;

interface Made {
  readonly text?: string;
  readonly manifest?: Partial<BundleManifest>;
  readonly message?: object;
  readonly typ?: string;
  readonly by?: Enrolled['laptop'];
}

/** A bundle in every part as a laptop makes it, but for what is bent. */
async function bundleOf({ laptop, grant }: Enrolled, bent: Made = {}): Promise<string> {
  const text = bent.text ?? `{"checks":"${base64url(randomBytes(9))}"}\n`;
  const manifest = JSON.stringify({
    ...{ form: 'kiwistack-support/1', bundleId: base64url(randomBytes(16)), program: '0.1.0', leftOut: 3 },
    ...{ createdAt: at(0), deviceId: grant.deviceId },
    files: [{ name: 'doctor.json', size: Buffer.byteLength(text), sha256: digest(text), why: 'what is wrong' }],
    ...bent.manifest,
  });
  const said = { protocol: PROTOCOL, deviceId: grant.deviceId, manifestHash: digest(manifest), timestamp: at(0) };
  const signature = await signDeviceMessage(bent.by ?? laptop, bent.typ ?? TYP.bundle, { ...said, ...bent.message });
  return writeBundle({ manifest, signature, files: { 'doctor.json': text } });
}
const at = (minutes: number): string => new Date(slice.clock.now() + minutes * 60_000).toISOString();

const send = ({ grant }: Enrolled, body: string, type: string = MEDIA.json): Promise<Answer> =>
  slice.gateway.send('POST', PATHS.device(grant.deviceId, 'bundles'), type, body);
const kept = async ({ grant }: Enrolled): Promise<number[]> =>
  (await context().registry.listBundles()).filter(({ deviceId }) => deviceId === grant.deviceId).map(({ id }) => id);
const auditOf = async ({ grant }: Enrolled, action: string) =>
  (await context().registry.listAudit(200)).filter((one) => one.deviceId === grant.deviceId && one.action === action);

describe('a support bundle', () => {
  test('is kept for the operator as it was sent; the answer proves that the slice has it', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const body = await bundleOf(enrolled);
    const answer = await send(enrolled, body);
    expect(readStatus(answer)).toMatchObject({ requestHash: digest(body), state: 'active', fleet: null });
    expect(await auditOf(enrolled, 'device.bundles')).toMatchObject([
      {
        decision: 'allowed',
        yubikeySerial: key.serial,
        why: expect.stringMatching(/: bundle .{22}, \d+ bytes$/u) as string,
      },
    ]);
    const [id = 0] = await kept(enrolled);
    expect(await asOperator(slice, (operator) => operator.ask('bundle.list'))).toContainEqual({
      ...{ id, deviceId: enrolled.grant.deviceId, hostName: enrolled.grant.hostName },
      ...{ receivedAt: expect.any(Number) as number, bytes: Buffer.byteLength(body) },
    });
    const read = await asOperator(slice, (operator) => operator.ask('bundle.read', { bundle: id }));
    expect(read).toMatchObject({ text: body, device: { hostName: enrolled.grant.hostName } });
    expect(await auditOf(enrolled, 'bundle.read')).toHaveLength(1);
    await asOperator(slice, (operator) => operator.ask('bundle.remove', { bundle: id }));
    expect([await kept(enrolled), await auditOf(enrolled, 'bundle.remove')]).toEqual([[], [expect.anything()]]);
    await expect(asOperator(slice, (operator) => operator.ask('bundle.read', { bundle: id }))).rejects.toMatchObject({
      code: 'usage',
    });
  });

  test('that is sent again, also after a restart, is kept once', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    const body = await bundleOf(enrolled);
    expect((await Promise.all([1, 2, 3].map(() => send(enrolled, body)))).map(codeOf)).toEqual(['ok', 'ok', 'ok']);
    await slice.restart();
    expect(codeOf(await send(enrolled, body))).toBe('ok');
    expect(await kept(enrolled)).toHaveLength(1);
    expect(await auditOf(enrolled, 'device.bundles')).toHaveLength(1);
  });

  test('is also taken from a laptop that has not confirmed its enrollment', async () => {
    const enrolled = await enroll(slice, key);
    expect(readStatus(await send(enrolled, await bundleOf(enrolled)))).toMatchObject({ state: 'pending' });
  });

  test('pushes out the oldest one of its laptop; a laptop that sends many is put off', async () => {
    const [enrolled, other] = [await enrollAndConfirm(slice, key), await enrollAndConfirm(slice, key)];
    await send(other, await bundleOf(other));
    const answers: Answer[] = [];
    for (let n = 0; n < BUNDLES.rate.burst + 1; n++) answers.push(await send(enrolled, await bundleOf(enrolled)));
    expect(answers.map(codeOf)).toEqual([
      ...Array.from({ length: BUNDLES.rate.burst }, () => 'ok'),
      'too-many-requests',
    ]);
    expect(Number(answers.at(-1)?.headers['retry-after'])).toBeGreaterThan(600);
    expect([await kept(enrolled), await kept(other)].map((ids) => ids.length)).toEqual([BUNDLES.perDevice, 1]);
    expect(codeOf(await send(other, await bundleOf(other)))).toBe('ok');
  });

  test('is forgotten after its time', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    await send(enrolled, await bundleOf(enrolled));
    await context().registry.forgetBundles(slice.clock.now() - BUNDLES.days * 86_400_000);
    expect(await kept(enrolled)).toHaveLength(1);
    slice.clock.offsetMs = BUNDLES.days * 86_400_000 + 1000;
    try {
      await reap(context());
    } finally {
      slice.clock.offsetMs = 0;
    }
    expect(await kept(enrolled)).toEqual([]);
  });
});

describe('what is refused, and not kept', () => {
  const other = (enrolled: Enrolled) => ({ ...enrolled.laptop, deviceKey: generateP256() });
  const bent = (change: (parts: Record<string, unknown>) => object) => async (enrolled: Enrolled) =>
    JSON.stringify(change(JSON.parse(await bundleOf(enrolled)) as Record<string, unknown>));

  test.each<[string, string, (enrolled: Enrolled) => Promise<string>]>([
    ['no JSON', 'request-malformed', () => Promise.resolve('{')],
    ['a member more', 'request-malformed', bent((parts) => ({ ...parts, more: 1 }))],
    ['a file that was changed', 'request-malformed', bent((parts) => ({ ...parts, files: { 'doctor.json': '{}' } }))],
    ['a file that is missing', 'request-malformed', bent((parts) => ({ ...parts, files: {} }))],
    ['no signature', 'device-signature-refused', bent((parts) => ({ ...parts, signature: null }))],
    ['half a signature', 'request-malformed', bent((parts) => ({ ...parts, signature: 'a.b' }))],
    ['a signature that says something else', 'request-malformed', (e) => bundleOf(e, { message: { held: 1 } })],
    ['a signature for a status', 'request-malformed', (e) => bundleOf(e, { typ: TYP.status })],
    ['the signature of another key', 'device-signature-refused', (e) => bundleOf(e, { by: other(e) })],
    [
      'the signature of another bundle',
      'device-signature-refused',
      (e) => bundleOf(e, { message: { manifestHash: digest('another') } }),
    ],
    ['a time of eleven minutes ago', 'clock-skew', (e) => bundleOf(e, { message: { timestamp: at(-11) } })],
    ['a manifest of no laptop', 'request-malformed', (e) => bundleOf(e, { manifest: { deviceId: null } })],
    ['a file that is too large', 'request-too-large', (e) => bundleOf(e, { text: 'x'.repeat(LIMITS.bundle) })],
  ])('%s: %s', async (_what, code, make) => {
    const enrolled = await enrollAndConfirm(slice, key);
    expect(codeOf(await send(enrolled, await make(enrolled)))).toBe(code);
    expect(await kept(enrolled)).toEqual([]);
  });

  test('a bundle of one laptop in the name of another', async () => {
    const [ours, theirs] = [await enrollAndConfirm(slice, key), await enrollAndConfirm(slice, key)];
    const message = { deviceId: theirs.grant.deviceId };
    const manifest = { deviceId: theirs.grant.deviceId };
    expect(codeOf(await send(theirs, await bundleOf(ours)))).toBe('request-malformed');
    expect(codeOf(await send(theirs, await bundleOf(ours, { message, manifest })))).toBe('device-signature-refused');
    expect([await kept(ours), await kept(theirs)]).toEqual([[], []]);
  });

  test('one of a laptop that has ended, or that nobody knows, and one of another type', async () => {
    const enrolled = await enrollAndConfirm(slice, key);
    expect(codeOf(await send(enrolled, await bundleOf(enrolled), MEDIA.jose))).toBe('request-malformed');
    await context().registry.endDevice(enrolled.grant.deviceId, 'lost', Date.now(), {
      ...{ requestId: 'test', actor: 'test', action: 'device.end', decision: 'allowed' },
    });
    expect(codeOf(await send(enrolled, await bundleOf(enrolled)))).toBe('device-ended');
    const deviceId = '8c2e4cb5-6a1c-4b43-9a5e-07c3a4a1c001';
    const nobody = { ...enrolled, grant: { ...enrolled.grant, deviceId } };
    expect(codeOf(await send(nobody, await bundleOf(nobody)))).toBe('device-unknown');
    expect(await kept(enrolled)).toEqual([]);
  });
});
