import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { TOKEN_FILE } from '../../../src/apps/enroll/claim-command.ts';
import { readClaimStand, CLAIM_STAND, type ClaimStand } from '../../../src/local-api/claim-stand.ts';
import { PATHS } from '../../../platform/linux/paths.ts';
import { readSliceConfig, writeSliceConfig, type SliceConfig } from '../../../src/slice/config/slice-config.ts';
import type { DeviceRecord } from '../../../src/protocol/operator-records.ts';
import type { Laptop } from '../../lab/lab.ts';
import { sampleOf } from '../../sample.ts';
import { hasToken, makeBatch, putToken } from '../../world/delivery.ts';
import { LaptopTpm } from '../../world/laptop-tpm.ts';
import { TpmMaker } from '../../world/tpm-maker.ts';
import { CLI, type EnrollResult } from '../../world/world.ts';
import { Customer } from '../01-enrollment/customer.ts';

const RECORD = '/var/lib/kiwistack/enrollment.json';

let customer: Customer;
beforeAll(async () => {
  customer = await Customer.create();
  await setClaims({ withoutTpm: 'accept', approvalHours: 1 });
});
afterAll(() => customer.destroy());

async function setClaims(claims: SliceConfig['claims']): Promise<void> {
  const { sliceDir } = customer.world;
  await customer.world.stopSlice();
  await writeSliceConfig(sliceDir, { ...(await readSliceConfig(sliceDir)), claims });
  await customer.world.startSlice();
}

/** What its unit does at the first start. */
const claim = (laptop: Laptop, env: Readonly<Record<string, string>> = {}): Promise<EnrollResult> =>
  customer.world.cli(laptop, ['claim', '--json'], { env, timeoutMs: 120_000 });

let laptops = 0;
/** A laptop as it is delivered, before its first start. */
async function delivered(): Promise<{ laptop: Laptop; tokens: string }> {
  const laptop = await customer.world.addLaptop({ name: `oem${++laptops}` });
  const tokens = await makeBatch(customer.world, `batch${laptops}`, [laptop]);
  await putToken(laptop, tokens);
  return { laptop, tokens };
}

const devicesOn = async ({ dmi }: Laptop): Promise<DeviceRecord[]> =>
  (await customer.operator.ask('device.list')).filter(({ host }) => host.serial === dmi.product_serial);

/** However often it was begun, there is one of each. */
async function expectOneClaimed(laptop: Laptop): Promise<void> {
  const record = JSON.parse(await readFile(laptop.path(RECORD), 'utf8')) as { state: string };
  expect(record.state, 'nothing is left to do').toBe('active');
  const live = (await devicesOn(laptop)).filter(({ state }) => state !== 'ended');
  expect(live.map(({ state }) => state)).toEqual(['active']);
  const [token] = (await customer.operator.ask('batch.tokens', {})).filter(
    ({ serial }) => serial === laptop.dmi.product_serial,
  );
  expect(token).toMatchObject({ deviceId: live[0]?.id });
  expect(await customer.fleetHosts(laptop)).toHaveLength(1);
  expect(hasToken(laptop)).toBe(false);
  const peers = await customer.peers();
  expect(peers.filter((key) => key === live[0]?.wireguardPublicKey)).toHaveLength(1);
}

test('a laptop claims itself at its first start, with nobody in front of it; then it is one as any other', async () => {
  const { laptop } = await delivered();
  const run = await claim(laptop);
  expect(run.code, run.stdout + run.stderr).toBe(0);
  expect(run.result).toMatchObject({ result: 'green', customer: 'Acme GmbH' });
  await expectOneClaimed(laptop);
  const shown = await customer.world.cli(laptop, ['status', '--json']);
  expect(shown.code, shown.stdout).toBe(0);
  expect(await claim(laptop)).toMatchObject({ result: { error: { code: 'claim-token-missing' } } });
  expect(await customer.world.cli(laptop, ['renew', '--json'])).toMatchObject({ code: 0 });
  expect((await customer.world.cli(laptop, ['uninstall', '--json'])).code).toBe(0);
});

test('its secret is in no file of ours afterwards, is not said, and reaches the slice at no time', async () => {
  const { laptop, tokens } = await delivered();
  const { secret } = JSON.parse(await readFile(`${tokens}/${laptop.dmi.product_serial}.json`, 'utf8')) as {
    secret: string;
  };
  const run = await claim(laptop);
  expect(run.code).toBe(0);
  expect(run.stdout + run.stderr + customer.world.sliceLog()).not.toContain(secret);
  const places = '/etc /var/lib/kiwistack /opt/orbit /run';
  const found = await laptop.run(['/bin/sh', '-c', `grep -rlF -- ${secret} ${places} 2>/dev/null`]);
  expect(found.stdout).toBe('');
  const atSlice = await customer.world.slice.run(['/usr/bin/grep', '-rlF', '--', secret, customer.world.sliceDir]);
  expect(atSlice.stdout).toBe('');
});

/** The unit's command as it goes on: what it has said, and its end. */
function started(laptop: Laptop): { said: () => string; stop: () => void; ended: Promise<number | null> } {
  const child = laptop.spawn([...CLI, 'claim', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new TypeError('a pipe');
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { said: () => lines.join('\n'), stop: () => void child.kill('SIGTERM'), ended };
}

/** What whoever is in front of the laptop sees: the stand for the window, and what is above the login prompts. */
const standOn = (laptop: Laptop): Promise<ClaimStand | undefined> => readClaimStand(laptop.path(CLAIM_STAND));
const promptOn = (laptop: Laptop): Promise<string | undefined> =>
  readFile(laptop.path(PATHS.claimIssue), 'utf8').catch(() => undefined);
/** As agetty draws it on a text console, where the package has put its link. */
async function drawn(laptop: Laptop): Promise<string> {
  const link = '/etc/issue.d/60-kiwistack-claim.issue';
  await laptop.run(['/bin/sh', '-c', `mkdir -p /etc/issue.d && ln -sf ${PATHS.claimIssue} ${link}`]);
  const { stdout } = await laptop.run(['/usr/bin/script', '-qec', '/sbin/agetty --show-issue', '/dev/null']);
  return stdout;
}

test('without a network it waits, says so, and goes on as soon as there is one', async () => {
  const { laptop } = await delivered();
  const link = (to: 'up' | 'down') => laptop.run(['/sbin/ip', 'link', 'set', 'eth0', to]);
  const { stdout: routes } = await laptop.run(['/sbin/ip', 'route', 'show', 'default']);
  await link('down');
  const run = started(laptop);
  await expect.poll(run.said).toContain('claim-retried');
  await expect
    .poll(() => standOn(laptop))
    .toMatchObject({ state: 'retries', customer: 'Acme GmbH', error: { code: 'gateway-unreachable' } });
  expect(await promptOn(laptop)).toContain('It is tried again by itself.');
  await link('up');
  await laptop.run(['/sbin/ip', 'route', 'replace', ...routes.trim().split(/\s+/u)]);
  expect(await run.ended, run.said()).toBe(0);
  await expectOneClaimed(laptop);
});

test('where an operator decides, it shows a code, waits, also after a restart, and goes on', async () => {
  await setClaims({ withoutTpm: 'approve', approvalHours: 1 });
  const { laptop } = await delivered();
  const before = started(laptop);
  await expect.poll(before.said).toMatch(/step-waits.*code \d{6}/u);
  const code = /code (\d{6})/u.exec(before.said())?.[1] ?? '';
  const shown = `${code.slice(0, 3)} ${code.slice(3)}`;
  await expect.poll(() => standOn(laptop)).toMatchObject({ state: 'waits', customer: 'Acme GmbH', code });
  await expect.poll(() => promptOn(laptop)).toContain(`Tell your operator these six digits: ${shown}`);
  expect(await drawn(laptop)).toContain(`This laptop waits to be let in by Acme GmbH.\r\nTell your operator`);
  before.stop();
  expect(await before.ended).toBe(130);
  expect([await standOn(laptop), await promptOn(laptop)]).toEqual([undefined, undefined]);
  expect(before.said()).not.toContain('undo');
  const { said, ended } = started(laptop);
  await expect.poll(said).toContain(`code ${code}`);
  await expect.poll(() => promptOn(laptop)).toContain(shown);
  const { sliceDir } = customer.world;
  const listed = await customer.world.operator(['claim', 'list', '--dir', sliceDir, '--json']);
  expect(listed.stdout).toContain(`"code":"${code}","serial":"${laptop.dmi.product_serial}"`);
  const approved = await customer.world.operator(['claim', 'approve', code, '--dir', sliceDir]);
  expect(approved.stdout).toContain('is let in');
  expect(await ended, said()).toBe(0);
  expect(await standOn(laptop)).toEqual({ state: 'claimed', customer: 'Acme GmbH' });
  expect(await promptOn(laptop)).toBeUndefined();
  expect(await drawn(laptop)).not.toContain('KiwiStack');
  await expectOneClaimed(laptop);
  await setClaims({ withoutTpm: 'accept', approvalHours: 1 });
});

describe('a laptop whose TPM the OEM has named', () => {
  /** As the OEM reads it in the factory. */
  async function endorsementOf(laptop: Laptop, tpm: LaptopTpm): Promise<Buffer> {
    const file = '/run/endorsement.der';
    const read = await tpm.tool('nvread', '-C', 'o', '0x01c00002', '-o', file);
    if (read.code !== 0) throw new Error(read.out);
    return readFile(laptop.path(file));
  }

  test('claims itself with a key in it, without an operator; with another TPM it does not', async () => {
    await setClaims({ withoutTpm: 'approve', approvalHours: 1 });
    const folder = path.join(customer.world.dir, 'tpm');
    const maker = await TpmMaker.create(folder);
    const [laptop, other] = await Promise.all(['tpm', 'other-tpm'].map((name) => customer.world.addLaptop({ name })));
    if (laptop === undefined || other === undefined) throw new TypeError('two laptops');
    const tpms = await Promise.all([laptop, other].map((one) => LaptopTpm.solder(one, maker, folder)));
    const endorsements = await Promise.all([laptop, other].map((one, at) => endorsementOf(one, tpms[at] as LaptopTpm)));
    // Of the second one, the list has the wrong TPM.
    const [endorsement = Buffer.alloc(0)] = endorsements;
    const listed = [laptop, other].map(({ dmi }) => ({ dmi, endorsement }));
    const tokens = await makeBatch(customer.world, 'tpms', listed);
    await Promise.all([putToken(laptop, tokens), putToken(other, tokens)]);
    const run = await claim(laptop);
    expect(run.code, run.stdout + run.stderr).toBe(0);
    expect(run.result).toMatchObject({ result: 'green', keyKind: 'tpm' });
    await expectOneClaimed(laptop);
    expect((await devicesOn(laptop)).map(({ keyKind }) => keyKind)).toEqual(['tpm']);
    expect(await claim(other)).toMatchObject({ code: 4, result: { error: { code: 'claim-other-laptop' } } });
    expect(await devicesOn(other)).toEqual([]);
    await setClaims({ withoutTpm: 'accept', approvalHours: 1 });
  });
});

describe('a power cut at an edge of the first start: one device, one token used, ready', () => {
  const trace = '/run/fault-points';

  test('each of a sample', async () => {
    const { laptop: traced } = await delivered();
    expect((await claim(traced, { KIWISTACK_FAULT_TRACE: trace })).code).toBe(0);
    const points = [...new Set((await readFile(traced.path(trace), 'utf8')).trim().split('\n'))];
    expect(points.length).toBeGreaterThan(20);
    for (const point of sampleOf('edges of a claim', points, 5)) {
      const { laptop } = await delivered();
      const cut = await claim(laptop, { KIWISTACK_FAULT: `${point}=kill` });
      expect(cut.code, `${point}: ${cut.stdout}`).toBe(137);
      const again = await claim(laptop);
      // Cut off at the very end, everything is done.
      const [error] = again.events.flatMap(({ error: said }) => (said === undefined ? [] : [said as { code: string }]));
      expect([0, 6], `${point}: ${again.stdout}${again.stderr}`).toContain(again.code);
      if (again.code !== 0) expect(error, point).toMatchObject({ code: 'claim-token-missing' });
      await expectOneClaimed(laptop);
    }
  });
});

describe('what should not be let in', () => {
  test('a copy of the disk in another laptop: refused, with an alarm, and nothing is left', async () => {
    const { laptop, tokens } = await delivered();
    const thief = await customer.world.addLaptop({ name: 'thief' });
    await putToken(thief, tokens, laptop.dmi.product_serial);
    const run = await claim(thief);
    expect(run).toMatchObject({ code: 4, result: { error: { code: 'claim-other-laptop' } } });
    expect(await standOn(thief)).toMatchObject({ state: 'refused', error: { code: 'claim-other-laptop' } });
    expect(await promptOn(thief)).toContain('[claim-other-laptop]');
    expect(await devicesOn(thief)).toEqual([]);
    expect(await customer.world.cli(thief, ['status', '--json'])).toMatchObject({ result: { result: 'not-enrolled' } });
    const alarms = await customer.operator.ask('alarm.list');
    expect(alarms.map(({ why = '' }) => why)).toContainEqual(expect.stringContaining(thief.dmi.product_serial));
    // The laptop itself is let in all the same.
    expect((await claim(laptop)).code).toBe(0);
  });

  test.each<[string, (token: Record<string, unknown>) => void, string, number]>([
    [
      'another root',
      (token) => void (token['root'] = Buffer.alloc(32, 7).toString('base64url')),
      'slice-root-unknown',
      4,
    ],
    [
      'another customer',
      (token) => void (token['customer'] = { slug: 'other', name: 'Other AG' }),
      'slice-not-proven',
      4,
    ],
    [
      'a token that the slice does not know',
      (token) => void (token['tokenId'] = '3f0c1e5a-6a1f-4b0e-9d55-0c7f6f1d2b11'),
      'claim-token-unknown',
      4,
    ],
    [
      'another secret',
      (token) => void (token['secret'] = Buffer.alloc(32, 7).toString('base64url')),
      'claim-token-unknown',
      4,
    ],
    ['a token of another form', (token) => void (token['version'] = 2), 'claim-token-damaged', 6],
  ])('%s', async (_name, change, code, exit) => {
    const { laptop } = await delivered();
    const file = laptop.path(TOKEN_FILE);
    const token = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    change(token);
    await writeFile(file, JSON.stringify(token));
    const run = await claim(laptop);
    expect({ code: run.code, error: (run.result['error'] as { code: string }).code }).toEqual({
      code: exit,
      error: code,
    });
    expect(hasToken(laptop)).toBe(true);
    expect(await devicesOn(laptop)).toEqual([]);
    const left = await laptop.run(['/bin/ls', '/var/lib/kiwistack']);
    expect(left.stdout.trim()).toBe('bootstrap.json');
  });
});
