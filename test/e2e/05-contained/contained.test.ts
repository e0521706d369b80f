import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openBundle } from '../../../src/protocol/support-bundle.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import { startDesktop, type FakeDesktop } from '../../fakes/desktop/start-desktop.ts';
import { CLI, INTRANET_URL, PIN } from '../../world/world.ts';
import { runEnroll } from '../01-enrollment/cli-run.ts';
import { Customer, expectNothingLeft, type Seat } from '../01-enrollment/customer.ts';
import { openOtherPort, whenUdpIsBlocked } from './udp-blocked.ts';

// Each part of a real slice is stopped alone. The laptop says which one it is, what works all the same, and until when; and that is
// compared with what does work.

let customer: Customer;
let ivy: Seat;
beforeAll(async () => {
  customer = await Customer.create();
  await openOtherPort(customer);
  ivy = await customer.seat('ivy');
  const run = await runEnroll(ivy.laptop);
  if (run.code !== 0) throw new Error(run.output);
});
afterAll(() => customer.destroy());

interface Works {
  readonly failing: readonly { readonly part: string; readonly code: string }[];
  readonly works: readonly string[];
  readonly fails: readonly string[];
  readonly unknown: readonly string[];
  readonly until?: { readonly certificate: string; readonly renewal?: string };
}

async function works(): Promise<Works> {
  const { result, stdout, stderr } = await customer.world.cli(ivy.laptop, ['status', '--json']);
  const found = result['works'];
  if (found === undefined) throw new Error(stdout + stderr);
  return found as Works;
}
const failing = async (): Promise<string[]> => (await works()).failing.map(({ part }) => part);
const cli = (...args: string[]) => customer.world.cli(ivy.laptop, args);

async function sh(room: { run: Seat['laptop']['run'] }, script: string): Promise<string> {
  const { code, stdout, stderr } = await room.run(['/bin/sh', '-ec', script]);
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout.trim();
}
const inside = async (): Promise<boolean> =>
  (await ivy.laptop.run(['/usr/bin/curl', '-sS', '--max-time', '5', INTRANET_URL])).code === 0;

const wait = { interval: 500, timeout: 120_000 };
const wellAgain = () => expect.poll(failing, wait).toEqual([]);

async function pidOf(part: 'slice' | 'stepCa'): Promise<number> {
  const { run } = slicePaths(customer.world.sliceDir);
  const record = JSON.parse(await readFile(run.lock, 'utf8')) as Record<string, { pid: number }>;
  const pid = record[part]?.pid;
  if (pid === undefined) throw new Error(`${part} does not run`);
  return pid;
}

describe('while one part of the slice is down', () => {
  test('nothing is, at first', async () => {
    expect(await works()).toMatchObject({
      failing: [],
      fails: [],
      works: expect.arrayContaining(['inside', 'renewal']) as unknown,
    });
  });

  test('step-ca: everything works but the renewal, until the certificate ends, and late for a week', async () => {
    const pid = await pidOf('stepCa');
    const program = await sh(customer.world.slice, `readlink /proc/${pid}/exe`);
    await sh(customer.world.slice, `mount --bind /bin/false ${program}; kill -KILL ${pid}`);
    try {
      await expect.poll(failing, wait).toEqual(['ca']);
      const told = await works();
      expect(told).toMatchObject({ fails: ['renewal'], works: ['inside', 'certificate', 'management', 'news'] });
      expect(await inside()).toBe(true);
      const renewal = await cli('renew', '--json');
      expect(renewal).toMatchObject({
        code: 5,
        result: { error: { code: 'ca-unavailable', requestId: expect.any(String) as string } },
      });
      const [until, late] = [told.until?.certificate ?? '', told.until?.renewal ?? ''];
      expect(Date.parse(late) - Date.parse(until)).toBe(7 * 86_400_000);
      const { stdout } = await cli('status');
      expect(stdout).toContain('FAILING      ca: The certificate authority of the slice does not answer.');
      expect(stdout).toContain(`the certificate is good until ${until}; it can be renewed until ${late}`);
    } finally {
      await sh(customer.world.slice, `umount ${program}`);
    }
    await wellAgain();
    expect(await cli('renew', '--json')).toMatchObject({ code: 0, result: { result: 'renewed' } });
  });

  test('Fleet: the tunnel, the certificate and its renewal work', async () => {
    await customer.world.stopFleet();
    try {
      await expect.poll(failing, wait).toEqual(['fleet']);
      expect(await works()).toMatchObject({
        fails: ['management'],
        works: ['inside', 'certificate', 'renewal', 'news'],
      });
      expect(await inside()).toBe(true);
      expect(await cli('renew', '--json')).toMatchObject({ code: 0 });
    } finally {
      await customer.world.startFleet();
    }
    await wellAgain();
  });

  test('the endpoint: the certificate is renewed all the same', async () => {
    const { interface: name } = customer.operator.config.wireguard;
    await sh(customer.world.slice, `ip link set dev ${name} down`);
    try {
      await expect.poll(failing, wait).toContain('endpoint');
      const told = await works();
      expect(told.fails).toEqual(expect.arrayContaining(['inside', 'management']));
      expect(told.works).toEqual(expect.arrayContaining(['certificate', 'news']));
      expect(await inside()).toBe(false);
    } finally {
      await sh(customer.world.slice, `ip link set dev ${name} up; ip address show dev ${name}; ip route show`);
    }
    await wellAgain();
  });

  whenUdpIsBlocked(() => ({ customer, seat: ivy, wellAgain }));

  test('the gateway, which was killed: the tunnel goes on, and the laptop knows until when from before', async () => {
    expect(await cli('check', '--json')).toMatchObject({ code: 0 });
    await sh(customer.world.slice, `kill -KILL ${await pidOf('slice')}`);
    await expect.poll(failing, wait).toEqual(['gateway']);
    const told = await works();
    expect(told).toMatchObject({
      fails: ['renewal', 'news'],
      works: ['inside', 'certificate'],
      unknown: expect.arrayContaining(['management']) as unknown,
    });
    expect(told.until?.renewal).toBeDefined();
    expect(await inside()).toBe(true);
    expect(await cli('check', '--json')).toMatchObject({ code: 5, result: { error: { code: 'gateway-unreachable' } } });
    await customer.world.startSlice();
    await wellAgain();
  });

  test('the name server of the network: the tunnel goes on', async () => {
    await sh(ivy.laptop, 'cp /etc/hosts /tmp/hosts; sed -i /enroll.acme.example/d /etc/hosts');
    await expect.poll(failing, wait).toEqual(['names']);
    expect(await works()).toMatchObject({ fails: ['renewal', 'news'], works: ['inside', 'certificate'] });
    expect(await inside()).toBe(true);
    await sh(ivy.laptop, 'cat /tmp/hosts > /etc/hosts; rm /tmp/hosts');
    await wellAgain();
  });

  test('the network itself: one thing is named, not everything that follows from it', async () => {
    const route = await sh(ivy.laptop, 'ip route show default');
    await sh(ivy.laptop, 'ip link set dev eth0 down');
    await expect.poll(failing, wait).toEqual(['network']);
    expect(await works()).toMatchObject({ works: ['certificate'] });
    await sh(ivy.laptop, `ip link set dev eth0 up; ip route replace ${route}`);
    await wellAgain();
  });
});

test('the journal of a check names its requests as the gateway’s log does', async () => {
  // What systemd does for a service: stderr is a socket or pipe whose device and inode the variable names.
  const script = 'export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); exec "$@"';
  const { code, stderr } = await ivy.laptop.run(['/bin/sh', '-c', script, 'sh', ...CLI, 'check']);
  expect(code, stderr).toBe(0);
  const requests = [...stderr.matchAll(/^<6>exchange what=status http=200 request=([0-9a-f-]{36}) ms=\d+$/gmu)];
  expect(requests, stderr).toHaveLength(1);
  expect(stderr).toMatch(/^<6>checked result=active$/mu);
  // The gateway's log is written after the answer.
  const named = `"requestId":"${requests[0]?.[1] ?? ''}"`;
  await expect.poll(() => customer.world.sliceLog(), wait).toContain(named);
});

describe('whoever sits at the laptop', () => {
  const told = (desktop: FakeDesktop): string[] =>
    desktop.heard.flatMap(({ type, title }) =>
      type === 'notify' ? [String(title)] : type === 'close' ? ['gone'] : [],
    );

  test('is told once of what only a person can mend, and no longer when it is mended', async () => {
    const desktop = await startDesktop(ivy.laptop, 1000);
    try {
      const check = () => cli('check', '--json');
      await check();
      await customer.world.stopFleet();
      await check();
      expect(told(desktop)).toEqual([]);
      await customer.world.startFleet();
      await sh(ivy.laptop, 'mv /etc/step/certs/acme.key /run/acme.key');
      await check();
      await check();
      expect(told(desktop)).toEqual(['The key of this laptop is gone']);
      await sh(ivy.laptop, 'mv /run/acme.key /etc/step/certs/acme.key');
      expect(await check()).toMatchObject({ code: 0 });
      expect(told(desktop)).toEqual(['The key of this laptop is gone', 'gone']);
    } finally {
      await desktop.stop();
    }
  });
});

describe('a support bundle of a real laptop', () => {
  const FILE = '/var/tmp/bundle.json';

  test('has none of its secrets, is for root alone, and replaces nothing', async () => {
    const written = await cli('support-bundle', '--output', FILE, '--json');
    expect(written, written.stdout).toMatchObject({ code: 0, result: { result: 'written', file: FILE, signed: true } });
    const text = await readFile(ivy.laptop.path(FILE), 'utf8');
    expect(await sh(ivy.laptop, `stat -c %a:%U ${FILE}`)).toBe('600:root');
    const secrets = await sh(
      ivy.laptop,
      `openssl pkey -in /etc/step/certs/acme.key -outform DER | base64 -w0; echo
       sed -n 2p /etc/step/certs/acme.key
       sed -n 's/^PrivateKey = //p; s/^PresharedKey = //p' /etc/wireguard/kiwi-acme.conf
       sed -n 's/.*"fingerprintSalt": "\\(.*\\)".*/\\1/p' /var/lib/kiwistack/enrollment.json
       cat /opt/orbit/secret-orbit-node-key.txt; echo`,
    );
    const found = secrets.split('\n').filter((line) => line.length > 10);
    expect(found.length).toBeGreaterThanOrEqual(5);
    for (const secret of found) expect(text).not.toContain(secret);
    const enrollSecret = (await readFile(`${customer.world.fleetDir}/enroll-secret`, 'utf8')).trim();
    for (const secret of [enrollSecret, PIN, '198.51.100.']) expect(text).not.toContain(secret);

    const again = await cli('support-bundle', '--output', FILE, '--json');
    expect(again).toMatchObject({ code: 2, result: { error: { code: 'file-unusable' } } });
    await sh(ivy.laptop, 'ln -s /etc/motd.new /var/tmp/link.json');
    expect(await cli('support-bundle', '--output', '/var/tmp/link.json', '--json')).toMatchObject({ code: 2 });
    expect(await sh(ivy.laptop, 'ls /etc/motd.new 2>/dev/null || echo none')).toBe('none');
    expect(await readFile(ivy.laptop.path(FILE), 'utf8')).toBe(text);
  });

  test('leaves nothing where there is no room for it', async () => {
    await sh(ivy.laptop, 'mkdir /var/tmp/small; mount -t tmpfs -o size=4096 tmpfs /var/tmp/small');
    const { code, result } = await cli('support-bundle', '--output', '/var/tmp/small/bundle.json', '--json');
    expect([code, (result['error'] as { code: string }).code]).toEqual([6, 'disk-full']);
    expect(await sh(ivy.laptop, 'ls -A /var/tmp/small')).toBe('');
    await sh(ivy.laptop, 'umount /var/tmp/small; rmdir /var/tmp/small');
  });

  test('is proven to the operator, and no longer when a letter of it was changed', async () => {
    const text = await readFile(ivy.laptop.path(FILE), 'utf8');
    const given = path.join(customer.world.dir, 'bundle.json');
    const verify = (): Promise<{ code: number; stdout: string }> =>
      customer.world.operator(['bundle', 'verify', given, '--dir', customer.world.sliceDir, '--json']);
    await writeFile(given, text);
    const verified = await verify();
    expect(verified, verified.stdout).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"hostName":"ivy"') as string,
    });
    await writeFile(given, text.replace('\\"slug\\": \\"acme\\"', '\\"slug\\": \\"acne\\"'));
    expect(await verify()).toMatchObject({ code: 4, stdout: expect.stringContaining('bundle-invalid') as string });
    await sh(ivy.laptop, `rm ${FILE} /var/tmp/link.json`);
  });
});

describe('a support bundle that is sent', () => {
  interface Listed {
    readonly id: number;
    readonly device: string;
    readonly bytes: number;
  }
  const bundle = async (verb: string, ...args: string[]) => {
    const { code, stdout } = await customer.world.operator([
      ...['bundle', verb, ...args, '--dir', customer.world.sliceDir, '--json'],
    ]);
    return { code, said: JSON.parse(stdout) as Record<string, unknown> };
  };
  const listed = async (): Promise<Listed[]> => (await bundle('list')).said['list'] as Listed[];
  const sendNow = () => cli('support-bundle', '--send', '--yes', '--json');

  test('is asked about first, where there is nobody to ask it is not sent', async () => {
    expect(await cli('support-bundle', '--send', '--json')).toMatchObject({
      code: 2,
      result: { error: { code: 'usage' } },
    });
    const asked = await ivy.laptop.run(
      ['/usr/bin/script', '-qec', `${CLI.join(' ')} support-bundle --send`, '/dev/null'],
      { input: 'n\n', timeoutMs: 120_000 },
    );
    expect(asked.stdout).toMatch(/doctor\.json +\d+ bytes[^]*Send it to Acme GmbH \(https:[^)]*\)\? \[y\/N\]/u);
    expect([asked.code, await listed()]).toEqual([130, []]);
  });

  test('reaches the operator through the tunnel’s network and without a tunnel, and is the laptop’s beyond doubt', async () => {
    expect(await sendNow()).toMatchObject({ code: 0, result: { result: 'sent', customer: 'Acme GmbH', signed: true } });
    await sh(ivy.laptop, 'wg-quick down kiwi-acme');
    const down = await sendNow();
    await sh(ivy.laptop, 'wg-quick up kiwi-acme');
    expect(down, down.stdout).toMatchObject({ code: 0, result: { result: 'sent' } });
    const [newest, oldest, ...more] = await listed();
    expect([newest?.device, oldest?.device, more]).toEqual(['ivy', 'ivy', []]);
    const file = path.join(customer.world.dir, 'sent.json');
    expect(await bundle('save', `${newest?.id}`, '--output', file)).toMatchObject({
      ...{ code: 0, said: { result: 'saved', file, device: { hostName: 'ivy', state: 'active' } } },
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await bundle('verify', file)).toMatchObject({ code: 0, said: { device: { hostName: 'ivy' } } });
    // Taken while the tunnel was down, and says so.
    const { files } = openBundle(await readFile(file));
    expect(JSON.parse(files['network.json'] ?? '')).toMatchObject({ tunnel: { up: false, inside: false } });
    expect(await bundle('save', `${newest?.id}`, '--output', file)).toMatchObject({ code: 2 });
    for (const { id } of [newest, oldest].filter((one) => one !== undefined)) {
      expect(await bundle('remove', `${id}`)).toMatchObject({ code: 0, said: { result: 'removed', id } });
      expect(await bundle('remove', `${id}`)).toMatchObject({ code: 2, said: { error: { code: 'usage' } } });
    }
    expect(await listed()).toEqual([]);
    await wellAgain();
  });

  test('that another key signed is refused by the slice', async () => {
    await sh(
      ivy.laptop,
      `mv /etc/step/certs/acme.key /run/acme.key
       openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out /etc/step/certs/acme.key
       chmod 600 /etc/step/certs/acme.key`,
    );
    const { code, result } = await sendNow();
    await sh(ivy.laptop, 'mv /run/acme.key /etc/step/certs/acme.key');
    expect({ code, result }).toMatchObject({
      code: 4,
      result: { error: { code: 'device-signature-refused', requestId: expect.any(String) as string } },
    });
    const file = /kept in (\S+):/u.exec((result['error'] as { hint: string }).hint)?.[1] ?? '';
    await sh(ivy.laptop, `rm ${file}`);
    expect(await listed()).toEqual([]);
    await wellAgain();
  });

  test('is kept on a laptop that is offline, which says so', async () => {
    const route = await sh(ivy.laptop, 'ip route show default');
    await sh(ivy.laptop, 'ip link set dev eth0 down');
    const { code, result } = await sendNow();
    await sh(ivy.laptop, `ip link set dev eth0 up; ip route replace ${route}`);
    const { error } = result as { error: { code: string; hint: string } };
    expect([code, error.code]).toEqual([5, 'gateway-unreachable']);
    const file = /kept in (\S+):/u.exec(error.hint)?.[1] ?? '';
    expect(await sh(ivy.laptop, `stat -c %a:%U ${file}`)).toBe('600:root');
    const given = path.join(customer.world.dir, 'kept.json');
    await writeFile(given, await readFile(ivy.laptop.path(file)));
    expect(await bundle('verify', given)).toMatchObject({ code: 0, said: { device: { hostName: 'ivy' } } });
    await sh(ivy.laptop, `rm ${file}`);
    await wellAgain();
  });
});

test('it leaves as it came', async () => {
  expect(await cli('uninstall', '--json')).toMatchObject({ code: 0 });
  await expectNothingLeft(customer, ivy);
});
