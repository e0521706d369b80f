import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBundle } from '../../../src/protocol/support-bundle.ts';
import type { Laptop } from '../../lab/lab.ts';
import { CLI, PIN, World, type EnrollResult } from '../../world/world.ts';
import { CliRun } from '../01-enrollment/cli-run.ts';
import { AgentRoom, as, PEOPLE, ROOT_PASSWORD } from '../../world/agent-room.ts';

// The agent as root, people who are not, the real polkitd between them, and the YubiKey in the session of the one who calls.
const SERIAL = 31_000_001;
const ENROLL = ['enroll', '--json', '--pin-fd', '0', '--wait', '10'];

let dir: string;
let world: World;
let laptop: Laptop;
let room: AgentRoom;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-agent-'));
  world = await World.create({ dir });
  [laptop] = await Promise.all([world.addLaptop({ name: 'ada', resolved: true }), world.provisionKey(SERIAL)]);
  await world.plugIn(laptop, SERIAL);
  room = await AgentRoom.set(world, laptop);
});
afterAll(async () => {
  await world.destroy();
  await rm(dir, { recursive: true, force: true });
});

const liveDevices = async (): Promise<number> => {
  const { stdout } = await world.operator(['device', 'list', '--dir', world.sliceDir, '--json']);
  return stdout.match(/"state": ?"(?:reserved|pending|active)"/gu)?.length ?? 0;
};
/** What differs from one run to the next. */
const timeless = (text: string): string =>
  text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/gu, 'T')
    .replace(/"requestHash":"[^"]*"/gu, '"requestHash":""')
    // Of a handshake, and of the slice's clock, whose answer may have taken half a second.
    .replace(/\d+ s (?:ago|ahead of|behind)/gu, 'N s');

test('who may see it is told, in the same words as root; who may not is refused', async () => {
  const [bob, root, eve] = [
    await room.cli('bob', ['status']),
    await room.cli('root', ['status']),
    await room.cli('eve', ['status', '--json']),
  ];
  expect(bob, room.log()).toEqual({ ...root });
  expect(bob.code).toBe(3);
  for (const who of ['bob', 'root'] as const) {
    const { code, stdout } = await room.cli(who, ['doctor']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: expect.stringContaining('[not-enrolled]') as string });
    expect(stdout.split('\n').length).toBeLessThan(20);
  }
  expect(eve).toMatchObject({ code: 3, result: { result: 'error', error: { code: 'not-authorised' } } });
});

test('who may only see it changes nothing', async () => {
  const bundle = ['support-bundle', '--send', '--yes'];
  for (const args of [['renew'], ['check'], ['mend'], ['doctor', '--fix'], bundle, ['uninstall'], ENROLL]) {
    const { code, stdout, stderr } = await room.cli('bob', args, `${PIN}\n`);
    expect({ args, code, said: stdout + stderr }).toMatchObject({
      code: 3,
      said: expect.stringContaining('not-authorised') as string,
    });
  }
});

test('who is at a terminal, with no desktop that would ask, is asked there for the password of an administrator', async () => {
  const wrong = await room.atTerminal('mia', ['status'], 'wrong battery');
  expect(wrong).toMatchObject({ code: 3, screen: expect.stringContaining('not-authorised') as string });
  const right = await room.atTerminal('mia', ['status'], ROOT_PASSWORD);
  expect(right.screen).toContain('AUTHENTICATION COMPLETE');
  expect(right).toMatchObject({ code: 3, screen: expect.stringContaining('[not-enrolled]') as string });
  const { code, stdout } = await room.cli('mia', ['status', '--json']);
  expect({ code, stdout }).toEqual({ code: 3, stdout: expect.stringContaining('not-authorised') as string });
  const left = await laptop.run(['/usr/bin/pgrep', '-c', 'pkttyagent']);
  expect(left.stdout.trim()).toBe('0');
});

test('when nobody calls, no process of it stays, and the next caller starts it again', async () => {
  const processes = async (): Promise<string> =>
    (
      await laptop.run(['/usr/bin/pgrep', '-f', '^[^ ]*node [^ ]*(kiwistack-agent\\.js|apps/agent/main\\.ts)$'])
    ).stdout.trim();
  await expect.poll(processes).toBe('');
  // Logged by its parent, after the process is gone.
  const times = (line: RegExp): number => room.log().match(line)?.length ?? 0;
  const comings = times(/^started$/gmu);
  await expect.poll(() => times(/^ended 0$/gmu)).toBe(comings);
  expect((await room.cli('bob', ['status', '--json'])).result).toMatchObject({ result: 'not-enrolled' });
  expect(times(/^started$/gmu)).toBe(comings + 1);
});

test('a caller that is killed in the middle of an enrollment leaves nothing of it', async () => {
  const run = new CliRun(laptop, { prefix: as('ada') });
  await expect.poll(() => run.output).toContain('"step":"certificate"');
  run.kill('SIGKILL');
  await run.ended;
  await expect.poll(() => room.log()).toMatch(/not-done verb=enroll uid=2000 .*code=cancelled/u);
  expect((await room.cli('root', ['status', '--json'])).result).toMatchObject({ result: 'not-enrolled' });
  expect(await liveDevices()).toBe(0);
});

test('Ctrl-C undoes it too, and says so', async () => {
  const run = new CliRun(laptop, { prefix: as('ada') });
  await expect.poll(() => run.output).toContain('"step":"certificate"');
  run.kill('SIGINT');
  expect(await run.ended, run.output).toBe(130);
  expect(run.output).toContain('"type":"step-undone"');
  expect((await room.cli('root', ['status', '--json'])).result).toMatchObject({ result: 'not-enrolled' });
});

test('a wrong PIN is the caller’s affair, and ends it with nothing left', async () => {
  const { code, result } = await room.cli('ada', ENROLL, '000000\n');
  expect({ code, result }).toMatchObject({ code: 3, result: { error: { code: 'pin-wrong' } } });
  expect(await liveDevices()).toBe(0);
});

test('the laptop is enrolled with the YubiKey in the caller’s session', async () => {
  const { code, stdout, stderr, events, result } = await room.cli('ada', ENROLL, `${PIN}\n`);
  expect(code, stdout + stderr + room.log()).toBe(0);
  expect(result).toMatchObject({ result: 'green', customer: 'Acme GmbH' });
  const told = events.map(({ type }) => type);
  for (const type of ['key-found', 'slice-proven', 'pin-expected', 'touch-expected', 'touched']) {
    expect(
      told.filter((name) => name === type),
      type,
    ).toHaveLength(1);
  }
  expect(room.log()).not.toContain(PIN);
  expect(await liveDevices()).toBe(1);
});

test('all of them see the same', async () => {
  for (const args of [['status'], ['status', '--json'], ['doctor']]) {
    const [bob, root] = [await room.cli('bob', args), await room.cli('root', args)];
    // Members may stand in another order.
    const shown = ({ stdout, events }: EnrollResult): unknown =>
      args.includes('--json') ? JSON.parse(timeless(JSON.stringify(events[0]))) : timeless(stdout);
    expect(shown(bob), bob.stderr).toEqual(shown(root));
    expect(bob.code).toBe(root.code);
  }
});

test('a renewal is carried to its end even if its caller is gone', async () => {
  const child = laptop.spawn([...as('ada'), ...CLI, 'renew'], { stdio: 'ignore' });
  await expect.poll(() => room.log()).toMatch(/asked verb=renew uid=2000/u);
  child.kill('SIGKILL');
  await expect.poll(() => room.log()).toMatch(/answered verb=renew uid=2000/u);
  expect((await room.cli('bob', ['status', '--json'])).result).toMatchObject({ certificate: { number: 2 } });
  expect(await room.cli('ada', ['renew'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('number 3') as string,
  });
  expect(await room.cli('ada', ['check'])).toMatchObject({ code: 0 });
});

test('who may mend and repair it does, and sees what root would see', async () => {
  expect(await room.cli('ada', ['mend', '--json'])).toMatchObject({ code: 0, result: { result: 'well' } });
  const key = '/etc/step/certs/acme.key';
  await laptop.run(['/bin/chmod', '644', key]);
  const fixed = await room.cli('ada', ['doctor', '--fix']);
  expect(fixed.stdout, fixed.stderr).toMatch(
    /^✗ device-key-private: [^]*^→ restrict-files: [^]*^ {2}restrict-files: done\.$/mu,
  );
  expect((await laptop.run(['/usr/bin/stat', '-c', '%a', key])).stdout.trim()).toBe('600');
  const again = await room.cli('ada', ['doctor', '--fix', '--json', '--check', 'device-key-private']);
  expect(again).toMatchObject({ code: 0, result: { result: 'well', repairs: [] } });
  // One check and those that it needs, as root gets it.
  const one = ['doctor', '--json', '--check', 'packet-size'];
  expect((await room.cli('bob', one)).result['checks']).toHaveLength(3);
});

test('that another program keeps the tunnel is refused here, and nothing changes', async () => {
  const asked = await room.cli('ada', ['tunnel', '--by', 'app', '--json']);
  expect(asked, asked.stderr).toMatchObject({ code: 6, result: { error: { code: 'tunnel-app-unsupported' } } });
  expect(await room.cli('ada', ['doctor', '--json', '--check', 'tunnel-keeper'])).toMatchObject({ code: 0 });
});

test('a support bundle is written by the caller, with the caller’s rights, and signed by the laptop', async () => {
  const file = '/tmp/ada.json';
  const written = await room.cli('ada', ['support-bundle', '--output', file, '--json']);
  expect(written, written.stderr).toMatchObject({ code: 0, result: { result: 'written', file, signed: true } });
  expect((await laptop.run(['/usr/bin/stat', '-c', '%a %u', file])).stdout.trim()).toBe(`600 ${PEOPLE.ada}`);
  const { files } = openBundle(await readFile(laptop.path(file)));
  expect(Object.keys(files)).toEqual(expect.arrayContaining(['certificate.pem', 'enrollment.json', 'journal.json']));
  // Where ada may not write, nobody writes for her.
  const there = await room.cli('ada', ['support-bundle', '--output', '/etc/ada.json', '--json']);
  expect(there.code).not.toBe(0);
  expect((await laptop.run(['/bin/ls', '/etc/ada.json'])).code).not.toBe(0);
});

test('a support bundle is sent by who may, after it was shown, and not without a yes', async () => {
  const listed = async (): Promise<string> =>
    (await world.operator(['bundle', 'list', '--dir', world.sliceDir, '--json'])).stdout;
  const command = `${CLI.join(' ')} support-bundle --send`;
  const ask = (input: string) =>
    laptop.run([...as('ada'), '/usr/bin/script', '-qec', command, '/dev/null'], { input, timeoutMs: 120_000 });
  const no = await ask('n\n');
  expect(no.stdout).toContain('Send it to Acme GmbH');
  expect([no.code, JSON.parse(await listed())]).toEqual([130, expect.objectContaining({ list: [] })]);
  const yes = await ask('y\n');
  expect(yes.stdout, yes.stderr + room.log()).toContain('Sent to Acme GmbH');
  expect(JSON.parse(await listed())).toMatchObject({ list: [{ device: 'ada' }] });
  const route = (await laptop.run(['/bin/sh', '-c', 'ip route show default'])).stdout.trim();
  await laptop.run(['/sbin/ip', 'link', 'set', 'dev', 'eth0', 'down']);
  const offline = await room.cli('ada', ['support-bundle', '--send', '--yes', '--output', '/tmp/kept.json', '--json']);
  await laptop.run(['/bin/sh', '-c', `ip link set dev eth0 up; ip route replace ${route}`]);
  expect(offline).toMatchObject({ code: 5, result: { error: { code: 'gateway-unreachable' } } });
  expect((await laptop.run(['/usr/bin/stat', '-c', '%a %u', '/tmp/kept.json'])).stdout.trim()).toBe(
    `600 ${PEOPLE.ada}`,
  );
  expect(room.log()).not.toContain('kiwistack-support/1');
});

test('who may remove it does; the laptop is free again', async () => {
  expect((await room.cli('bob', ['uninstall', '--json'])).result).toMatchObject({ error: { code: 'not-authorised' } });
  expect((await room.cli('ada', ['uninstall', '--json'])).result).toMatchObject({
    result: 'uninstalled',
    sliceTold: true,
  });
  expect((await room.cli('bob', ['status', '--json'])).result).toMatchObject({ result: 'not-enrolled' });
  expect(await liveDevices()).toBe(0);
});
