import { appendFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { digest } from '../../../../src/core/bytes.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import { collectBundle, type Bundle } from '../../../../src/laptop/support/collect-bundle.ts';
import { supportBundle, type Parcel } from '../../../../src/laptop/support/support-bundle.ts';
import { RecordFile, type EnrollmentRecord } from '../../../../src/laptop/state/record.ts';
import { SeenFile } from '../../../../src/laptop/state/seen.ts';
import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { openBundle } from '../../../../src/protocol/support-bundle.ts';
import { verifyBundle } from '../../../../src/slice/operator/verify-bundle.ts';
import type { Device } from '../../../../src/slice/registry/registry.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { say } from '../gateway-client/local-gateway.ts';
import { answerSigned, makeSlice } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
let log: string;
let units: Record<string, Record<string, string>>;
beforeEach(async () => {
  laptop = await enrolledLaptop();
  laptop.gateway.answer(answerSigned(laptop.slice));
  [log, units] = ['', {}];
  const reports = {
    units: () => Promise.resolve(units),
    log: () => Promise.resolve(log),
    kernel: () => '6.1.0-40-amd64',
  };
  Object.assign(laptop.context.platform, { reports });
});
afterEach(() => laptop.end());

const ID = 'b6c4d460-b0d6-4958-a458-5082d6a3d472';
const collect = (): Promise<Bundle> => collectBundle(laptop.context);
const part = ({ files }: Bundle, name: string): unknown => JSON.parse(files[name] ?? 'null');

/** The registry of the slice, which knows the key that the laptop enrolled with. */
const registry = (key = laptop.key) => ({
  findDevice: (id: string) =>
    Promise.resolve(
      id === laptop.record.device?.deviceId && key !== undefined
        ? ({
            ...{ id, hostName: 'anna-laptop', state: 'active', endReason: null },
            ...{ deviceKey: publicJwk(key), deviceKeyThumbprint: jwkThumbprint(publicJwk(key)) },
          } as unknown as Device)
        : undefined,
    ),
});

describe('a support bundle', () => {
  it('has versions, checks, certificate, steps, services, log and tunnel, each with its reason, size and hash', async () => {
    units = {
      'orbit.service': { ActiveState: 'failed', SubState: 'failed', Result: 'exit-code', ExecMainStatus: '1' },
    };
    log = `<6>exchange what=status http=200 request=${ID} ms=12\n2026-11-27T01:00:00+0100 anna-laptop kiwistack-enroll[812]: checked result=not-answered code=gateway-unreachable\n`;
    const bundle = await collect();
    expect(bundle.manifest.files.map(({ name }) => name)).toEqual([
      ...['versions.json', 'doctor.json', 'enrollment.json', 'journal.json', 'units.json', 'network.json', 'log.txt'],
      'certificate.pem',
    ]);
    for (const { name, size, sha256, why } of bundle.manifest.files) {
      expect([size, sha256]).toEqual([Buffer.byteLength(bundle.files[name] ?? ''), digest(bundle.files[name] ?? '')]);
      expect(why).not.toBe('');
    }
    expect(part(bundle, 'enrollment.json')).toMatchObject({
      state: 'active',
      slug: 'acme',
      device: { hostName: 'anna-laptop' },
    });
    expect(part(bundle, 'units.json')).toEqual(units);
    expect(bundle.files['log.txt']).toBe(
      `exchange what=status http=200 request=${ID} ms=12\n2026-11-27T01:00:00+0100 checked result=not-answered code=gateway-unreachable\n`,
    );
    expect(bundle.files['certificate.pem']?.match(/BEGIN CERTIFICATE/gu)).toHaveLength(2);
    const { checks } = part(bundle, 'doctor.json') as { checks: { code: string; state: string }[] };
    expect(checks.find(({ code }) => code === 'slice-answers')).toEqual({
      code: 'slice-answers',
      severity: 'failure',
      state: 'well',
    });
  });

  it('has what the watcher, the agent and a mending have logged, without whom they served', async () => {
    log = [
      '2026-11-27T01:00:00+0100 ada kiwistack-watch[12]: asks reason=wake',
      '2026-11-27T01:00:01+0100 ada kiwistack-enroll[13]: mended result=mended reason=wake ms=812 by=readd mtu=1380',
      '2026-11-27T01:00:02+0100 ada kiwistack-watch[12]: program-ended code=5',
      '2026-11-27T01:00:03+0100 ada node[14]: asked verb=repair uid=2000 pid=4711',
      `2026-11-27T01:00:04+0100 ada node[14]: not-done verb=renew uid=2000 pid=1 code=not-authorised request=${ID}`,
      '2026-11-27T01:00:05+0100 ada node[14]: answered verb=support-bundle uid=2000 ms=1200',
      '2026-11-27T01:00:06+0100 ada kiwistack-watch[12]: program-failed program=/srv/ada/x',
      '2026-11-27T01:00:07+0100 ada kiwistack-enroll[15]: certificate-not-taken consumer=anna-at-home code=program-failed',
    ].join('\n');
    const bundle = await collect();
    expect(
      bundle.files['log.txt']
        ?.trim()
        .split('\n')
        .map((line) => line.slice(25)),
    ).toEqual([
      'asks reason=wake',
      'mended result=mended reason=wake ms=812 by=readd mtu=1380',
      'program-ended code=5',
      'asked verb=repair',
      `not-done verb=renew code=not-authorised request=${ID}`,
      'answered verb=support-bundle ms=1200',
      'program-failed',
      'certificate-not-taken code=program-failed',
    ]);
    expect(bundle.text).not.toMatch(/2000|4711|anna-at-home|\/srv/u);
  });

  it('is signed by the device key, which proves to the operator whose it is', async () => {
    const bytes = Buffer.from((await collect()).text);
    const verified = await verifyBundle(registry(), bytes);
    expect(verified.device).toMatchObject({ id: laptop.record.device?.deviceId, hostName: 'anna-laptop' });
    expect(verified.manifest.files.length).toBeGreaterThan(5);
  });

  it.each<[string, (text: string) => string]>([
    ['a changed file', (text) => text.replace('\\"state\\": \\"active\\"', '\\"state\\": \\"enrolling\\"')],
    ['a changed manifest', (text) => text.replace('\\"leftOut\\": ', '\\"leftOut\\": 1')],
    ['a file more', (text) => text.replace('"files": {', '"files": { "more.txt": "",')],
    ['no signature', (text) => text.replace(/"signature": "[^"]*"/u, '"signature": null')],
    ['a signature of nothing', (text) => text.replace(/"signature": "[^"]*"/u, '"signature": "a.b.c"')],
    ['half of it', (text) => text.slice(0, text.length / 2)],
    ['a size that is too large', (text) => text + ' '.repeat(300_000)],
  ])('with %s is refused', async (_what, bend) => {
    const { text } = await collect();
    const bent = bend(text);
    expect(bent).not.toBe(text);
    await expect(verifyBundle(registry(), Buffer.from(bent))).rejects.toMatchObject({ code: 'bundle-invalid' });
  });

  it('of another laptop is refused, and so is one that another key signed', async () => {
    const bytes = Buffer.from((await collect()).text);
    await expect(verifyBundle(registry(generateP256()), bytes)).rejects.toMatchObject({ code: 'bundle-invalid' });
    const nobody = { findDevice: () => Promise.resolve(undefined) };
    await expect(verifyBundle(nobody, bytes)).rejects.toMatchObject({ code: 'device-unknown' });
  });

  it('is made without a device key, without an enrollment and with a damaged journal, and says less', async () => {
    await appendFile(path.join(laptop.stateFolder, 'journal.jsonl'), '{"plan":"another","version":9}\n');
    laptop.key = undefined;
    const unsigned = await collect();
    expect(unsigned.signed).toBe(false);
    expect(unsigned.manifest.files.map(({ name }) => name)).not.toContain('journal.json');
    await new RecordFile(laptop.stateFolder).remove();
    const bare = await collect();
    expect(bare.manifest).toMatchObject({ deviceId: null });
    expect(bare.manifest.files.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['versions.json', 'doctor.json']),
    );
    expect(openBundle(Buffer.from(bare.text)).signature).toBeNull();
  });
});

describe('a support bundle that is sent', () => {
  const parcels: Parcel[] = [];
  const agree = (parcel: Parcel): Promise<void> => Promise.resolve(void parcels.push(parcel));
  const said = () => laptop.gateway.seen.filter((one) => one.path.endsWith('/bundles'));
  beforeEach(() => {
    parcels.length = 0;
  });

  it('is shown first, goes to the gateway as it was shown, and its receipt is verified', async () => {
    const text = await supportBundle(laptop.context, agree);
    expect(parcels).toEqual([{ bundle: text, customer: 'Acme GmbH', gatewayUrl: laptop.gateway.url }]);
    const [request, ...more] = said();
    expect(more).toEqual([]);
    expect(request).toMatchObject({ method: 'POST', path: `/v1/devices/${laptop.record.device?.deviceId}/bundles` });
    expect(request?.headers['content-type']).toBe('application/json');
    const [shown, sent] = [openBundle(Buffer.from(text)), openBundle(request?.body ?? Buffer.alloc(0))];
    expect({ ...sent, signature: '' }).toEqual({ ...shown, signature: '' });
    await expect(verifyBundle(registry(), request?.body ?? Buffer.alloc(0))).resolves.toMatchObject({
      device: { hostName: 'anna-laptop' },
    });
  });

  it('is not, when the person does not want it, or there is no enrollment', async () => {
    const no = (): Promise<never> => Promise.reject(new KiwiError('cancelled'));
    await expect(supportBundle(laptop.context, no)).rejects.toMatchObject({ code: 'cancelled' });
    await new RecordFile(laptop.stateFolder).remove();
    await expect(supportBundle(laptop.context, agree)).rejects.toMatchObject({ code: 'not-enrolled' });
    expect([said(), parcels]).toEqual([[], []]);
  });

  it('is not taken as sent, when somebody else says so, nobody does, or the slice refuses it', async () => {
    laptop.gateway.answer(answerSigned(await makeSlice()));
    await expect(supportBundle(laptop.context, agree)).rejects.toMatchObject({ code: 'slice-not-proven' });
    const refusal = { ...{ code: 'device-ended', message: 'm', hint: 'h', retryable: false }, requestId: ID };
    laptop.gateway.answer(say(409, 'application/json', JSON.stringify(refusal)));
    await expect(supportBundle(laptop.context, agree)).rejects.toMatchObject({ code: 'device-ended', requestId: ID });
    await laptop.gateway.close();
    await expect(supportBundle(laptop.context, agree)).rejects.toMatchObject({ code: 'gateway-unreachable' });
    expect(parcels).toHaveLength(3);
  });

  it('is signed anew with the time of the slice, where the clock of the laptop is wrong', async () => {
    const refusal = { ...{ code: 'clock-skew', message: 'm', hint: 'h', retryable: false }, requestId: ID };
    const date = new Date(laptop.now + 3_600_000).toUTCString();
    const serverTime = new Date(laptop.now + 3_600_000).toISOString();
    const signed = answerSigned(laptop.slice, { content: { serverTime } });
    let refused = 0;
    laptop.gateway.answer((response, request, socket) => {
      if (!request.path.endsWith('/bundles') || refused++ > 0) signed(response, request, socket);
      else say(401, 'application/json', JSON.stringify(refusal), { date })(response, request, socket);
    });
    await supportBundle(laptop.context, agree);
    const times = said().map(({ body }) => {
      const payload = openBundle(body).signature?.split('.')[1] ?? '';
      return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { timestamp: string }).timestamp;
    });
    expect(times.map((time) => Math.round((Date.parse(time) - laptop.now) / 3_600_000))).toEqual([0, 1]);
  });
});

describe('never in a support bundle', () => {
  const SECRET = 'S3cr3tPlanted';
  /** In every spelling: as it is, in quotes, in base64, split by an escape sequence. */
  const clean = ({ text }: Bundle): void => {
    // Not the whole text in a failure's message: it is long.
    expect(/S3cr3t|Planted|geheim|\\u001b|\u001b/iu.exec(text)?.[0]).toBeUndefined();
    expect(text.includes('PRIVATE KEY')).toBe(false);
    expect(text).not.toContain(Buffer.from(SECRET).toString('base64url').slice(0, 14));
  };
  const plant = async (change: (record: EnrollmentRecord) => unknown): Promise<Bundle> => {
    const changed = change(structuredClone(laptop.record));
    await writeFile(path.join(laptop.stateFolder, 'enrollment.json'), JSON.stringify(changed), { mode: 0o600 });
    return collect();
  };

  it('is a proxy’s password, the salt, the exchange, the person’s key, or a role', async () => {
    const exchange = {
      ...{ keyCertificate: SECRET, hello: SECRET, challenge: SECRET, statement: SECRET, grant: SECRET },
      ...{ challengeAt: '2026-03-01T12:00:00.000Z', hostName: SECRET },
    };
    const bundle = await plant((record) => ({
      ...record,
      ...{ role: SECRET, customer: SECRET, proxy: `http://anna:${SECRET}@proxy:3128`, exchange },
      device: { ...record.device, fingerprintSalt: SECRET, intermediate: SECRET },
    }));
    clean(bundle);
    expect(part(bundle, 'enrollment.json')).toMatchObject({ hasProxy: true, slug: 'acme' });
    expect(bundle.text).not.toContain('12345678');
    expect(bundle.manifest.leftOut).toBeGreaterThan(5);
  });

  it.each<[string, (record: EnrollmentRecord) => unknown]>([
    ['the gateway’s URL', (record) => ({ ...record, gatewayUrl: `https://anna:${SECRET}@enroll.acme.example` })],
    ['the gateway’s path', (record) => ({ ...record, gatewayUrl: `https://enroll.acme.example/${SECRET}` })],
    ['the slug', (record) => ({ ...record, slug: SECRET })],
    ['the host name', (record) => ({ ...record, device: { ...record.device, hostName: `${SECRET}\u001b[2J` } })],
    ['an address', (record) => ({ ...record, device: { ...record.device, address: SECRET, probe: SECRET } })],
    [
      'an endpoint',
      (record) => ({ ...record, device: { ...record.device, tunnel: { networks: [SECRET], endpoints: [SECRET] } } }),
    ],
  ])('is what stands in the place of %s', async (_what, change) => {
    clean(await plant(change));
  });

  it('is what a log says besides codes and numbers', async () => {
    log = [
      `<6>exchange what=status http=200 request=${SECRET} ms=1`,
      `<6>exchange what=status http=200 request=${ID} ms=1 pin=${SECRET}`,
      `<6>exchange what="${SECRET}" http=200`,
      `<6>exchange what=status what=${SECRET}`,
      `details: /srv/anna/${SECRET}.pem does not exist`,
      `${SECRET} what=status`,
      `__proto__ what=${SECRET}`,
      `<6>checked result=active code=${SECRET.toLowerCase()}`,
      `2026-11-27T01:00:00+0100 ${SECRET} kiwistack-enroll[1]: checked result=active`,
      `2026-11-27T01:00:00+0100 host ${SECRET}[1]: ${SECRET}`,
      `\u001b[2J<6>exchange what=status http=200`,
      `<6>notice matter=lost state=told\u001b[31m`,
      '-----BEGIN PRIVATE KEY-----',
      'ORBIT_ENROLL_SECRET=geheim',
      '<6>exchange what=status http=404'.padEnd(100_000, ' '),
    ].join('\n');
    const bundle = await collect();
    clean(bundle);
    expect(bundle.files['log.txt']?.trim().split('\n')).toEqual([
      'exchange what=status http=200 ms=1',
      `exchange what=status http=200 request=${ID} ms=1`,
      'checked result=active',
      '2026-11-27T01:00:00+0100 checked result=active',
    ]);
  });

  it('is what a unit, the journal, the last check or a version says in another form', async () => {
    units = {
      'orbit.service': {
        ActiveState: SECRET,
        Environment: `ORBIT_ENROLL_SECRET=${SECRET}`,
        SubState: `running ${SECRET}`,
      },
    };
    const journal = path.join(laptop.stateFolder, 'journal.jsonl');
    const entry = { at: '2026-03-01T12:00:00.000Z', step: SECRET, event: 'waiting', for: SECRET };
    await appendFile(journal, `${JSON.stringify(entry)}\n`);
    await new SeenFile(laptop.stateFolder).save({
      told: [{ matter: 'ended', at: '2026-03-01T12:00:00.000Z', shown: [{ session: 'c2', uid: 1000, notice: 7 }] }],
      renewal: { at: '2026-03-01T12:00:00.000Z', code: 'ca-unavailable', requestId: SECRET },
    });
    const hardware = {
      readSystem: () => Promise.resolve({ hostName: SECRET, os: 'linux', osVersion: SECRET, model: SECRET }),
    };
    Object.assign(laptop.context.platform, { hardware: { ...laptop.context.platform.hardware, ...hardware } });
    Object.assign(laptop.context.platform.reports, { kernel: () => `6.1 ${SECRET}` });
    clean(await collect());
  });

  it('is the address of another network, or what a check saw', async () => {
    laptop.localNetworks.push({ kind: 'address', interface: SECRET, network: '192.168.178.33/24' });
    laptop.sliceEndpoint = undefined;
    laptop.tunnel.endpoint = '198.51.100.77:51820';
    const bundle = await collect();
    clean(bundle);
    expect(bundle.text).not.toMatch(/192\.168|198\.51/u);
    expect(part(bundle, 'network.json')).toMatchObject({
      local: { addresses: 1 },
      tunnel: { inside: false, endpointFamily: 'ipv4' },
    });
  });

  it('is the device key, whatever the file of the certificate holds', async () => {
    const pem = laptop.key?.export({ type: 'pkcs8', format: 'pem' }).toString() ?? '';
    const bundle = await collect();
    expect(bundle.text).not.toContain(pem.split('\n')[1]);
    clean(bundle);
    expect(await readFile(path.join(laptop.stateFolder, 'enrollment.json'), 'utf8')).toContain('fingerprintSalt');
  });
});
