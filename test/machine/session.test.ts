import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { Customer } from '../e2e/01-enrollment/customer.ts';
import type { Heard } from '../fakes/desktop/start-desktop.ts';
import { TpmMaker } from '../world/tpm-maker.ts';
import { INTRANET_URL, PIN } from '../world/world.ts';
import { installPackage, sh } from './install-package.ts';
import { addMachine } from './join-world.ts';
import type { Machine } from './machine.ts';
import { plugInYubiKey } from './plug-in-yubikey.ts';
import { expectWhole, letPass } from './renewal.ts';
import { logIn, type Session } from './session.ts';
import { everything } from '../sample.ts';
import { useSuiteFolder } from './suite-folder.ts';

// The agent, started by systemd's socket, with people in sessions of logind and polkit's own defaults between them. Ada sits at the screen
// and may administrate, Bob has a session in the background, Eve has none. Their customer demands device keys in TPMs, so that every
// unit of ours, in its own sandbox, has to reach the one of this laptop.

const NODE = '/usr/lib/kiwistack-enroll/bin/node';
const AGENT = 'kiwistack-agent.service';
const CHECK = 'kiwistack-enroll-check.service';
const DESKTOP = path.join(import.meta.dirname, '..', 'fakes', 'desktop');
const PASSWORD = 'correct horse';
const PATIENT = { timeout: 300_000, interval: 1_000 };
/** How long nothing happens, for the measurement. */
const REST_MS = everything ? 600_000 : 60_000;
/** Names what runs of ours, one process a line: resident KiB, ticks of the processor, program. */
const OURS = `for p in /proc/[0-9]*; do
  exe=$(readlink $p/exe) || continue
  case $exe in /usr/lib/kiwistack-enroll/*) ;; *) continue ;; esac
  echo "$(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' $p/status) $(awk '{ print $14 + $15 }' $p/stat) \${exe##*/}"
done`;

const folder = useSuiteFolder('session', { story: true });
let customer: Customer;
let machine: Machine;
let serial: number;
let ada: Session;
let bob: Session;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  let maker: TpmMaker | undefined;
  customer = await Customer.create(async (dir) => {
    maker = await TpmMaker.create(path.join(dir, 'tpm'));
    const makers = path.join(dir, 'tpm-makers.pem');
    await writeFile(makers, maker.certificates);
    return ['--tpm', 'require', '--tpm-makers', makers];
  });
  await maker?.make(path.join(folder.path, 'ada', 'tpm'));
  let deb: string;
  const roots = path.join(customer.world.sliceDir, 'msp', 'root.crt');
  [machine, serial, deb] = await Promise.all([
    addMachine(customer.world, { dir: path.join(folder.path, 'ada'), name: 'ada' }),
    customer.key(),
    buildDeb(folder.path, ['--msp-roots', roots]),
  ]);
  await installPackage(machine, deb);
  // Where each of them is in its sandbox, before it begins: the laptop's disk and memory are not there, its TPM is.
  const looks = `for d in /dev/vda /dev/mem /dev/port; do head -c 1 $d && echo "$d is open"; done; exec 3<>/dev/tpmrm0 && echo 'TPM is there'`;
  const looking = `[Service]\nExecStartPre=/bin/sh -c "${looks.replaceAll('"', '\\"').replaceAll('$', '$$$$')}"\n`;
  for (const unit of [AGENT, CHECK, 'kiwistack-mend@.service'])
    await machine.run(
      ['/bin/sh', '-ec', 'mkdir -p "$1"; cat >"$1/looks.conf"', 'sh', `/run/systemd/system/${unit}.d`],
      { input: looking },
    );
  await inside(`systemctl daemon-reload; useradd -m bob; useradd -m eve; echo 'ada:${PASSWORD}' | chpasswd`);
  bob = await logIn(machine, 'bob', { terminal: 2, type: 'tty' });
  ada = await logIn(machine, 'ada', { terminal: 1, type: 'wayland' });
  await inside(`loginctl activate ${ada.id}`);
}, 1_800_000);
afterAll(() => customer.destroy());

interface Said {
  readonly code: number;
  readonly result: Readonly<Record<string, unknown>>;
  readonly output: string;
}
type Caller = Pick<Session, 'as' | 'env'>;
/** Without a session, as a service that runs as this user. */
const eve: Caller = { as: ['/usr/bin/setpriv', '--reuid=eve', '--regid=eve', '--init-groups', '--'], env: {} };
const root: Caller = { as: [], env: {} };

async function cli({ as, env }: Caller, ...args: string[]): Promise<Said> {
  const argv = [...as, '/usr/bin/kiwistack-enroll', ...args, '--json'];
  const { code, stdout, stderr } = await machine.run(argv, { env });
  return said(code, stdout, stderr);
}
function said(code: number, stdout: string, stderr = ''): Said {
  // polkit's agent colours what it says.
  const plain = stripVTControlCharacters(stdout);
  const last = plain.split(/\r?\n/u).findLast((line) => line.startsWith('{')) ?? '{}';
  return { code, result: JSON.parse(last) as Said['result'], output: stdout + stderr };
}
const REFUSED = { result: 'error', error: { code: 'not-authorised' } };

/** At a terminal in Ada's session, where our program has polkit ask for her password. */
async function atTerminal(password: string, args: string): Promise<Said> {
  const script = `exec kiwistack-enroll ${args} --json 3<<END\n${PIN}\nEND`;
  const argv = [...ada.as, '/usr/bin/script', '--quiet', '--return', '--flush', '--command', script, '/dev/null'];
  const guest = machine.spawn(argv, { env: { ...ada.env, SHELL: '/bin/sh', TERM: 'dumb' } });
  let output = '';
  let answered = 0;
  guest.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    const asked = output.match(/^Password: /gmu)?.length ?? 0;
    for (; answered < asked; answered++) guest.stdin.write(`${password}\n`);
  });
  const code = await guest.ended;
  await new Promise((resolve) => setImmediate(resolve));
  return said(code, output);
}

const UNITS_AT_WORK = `systemctl list-units --no-legend --plain --state=active,activating ${CHECK} 'kiwistack-mend@*' ${AGENT}`;
/** Nothing of ours is at work, and what runs all the time does. */
async function untilAtRest(): Promise<void> {
  await expect.poll(() => inside(`${UNITS_AT_WORK}; ${OURS}`), PATIENT).toMatch(/^(?:\d+ \d+ kiwistack-watch)?$/u);
}

describe('the agent and who is logged in', () => {
  test('logind knows who is where', async () => {
    const shown = (session: Session): Promise<string> =>
      inside(`loginctl show-session -p Seat -p Type -p State -p Remote ${session.id} | sort`);
    expect(await shown(ada)).toBe('Remote=no\nSeat=seat0\nState=active\nType=wayland');
    expect(await shown(bob)).toBe('Remote=no\nSeat=seat0\nState=online\nType=tty');
  });

  test('the first caller starts it, and it ends by itself', async () => {
    expect(await inside(`systemctl is-active kiwistack-agent.socket ${AGENT} || true`)).toBe('active\ninactive');
    const [asAda, asRoot] = [await cli(ada, 'status'), await cli(root, 'status')];
    expect(asAda).toEqual(asRoot);
    expect(asAda).toMatchObject({ code: 3, result: { result: 'not-enrolled' } });
    expect(await inside(`journalctl -q -u ${AGENT} -o cat`)).toMatch(/^asked verb=status uid=1000 pid=\d+$/mu);
    await untilAtRest();
    expect(await inside(`systemctl show -p Result -p NRestarts ${AGENT} | sort`)).toBe('NRestarts=0\nResult=success');
  });

  test('who is not at the screen may see it, and who is not logged in may not', async () => {
    expect((await cli(bob, 'status')).result).toMatchObject({ result: 'not-enrolled' });
    expect((await cli(eve, 'status')).result).toMatchObject(REFUSED);
    expect((await cli(ada, 'renew')).result).toMatchObject({ error: { code: 'not-enrolled' } });
    for (const who of [bob, eve]) expect((await cli(who, 'renew')).result).toMatchObject(REFUSED);
  });

  test('an enrollment takes the password of who may administrate', async () => {
    const yubikey = await plugInYubiKey(machine, customer.world.keyFile(serial));
    // Nobody is there to ask.
    expect((await cli(ada, 'enroll', '--pin-fd', '0')).result).toMatchObject(REFUSED);
    const enroll = 'enroll --pin-fd 3 --wait 60';
    const wrong = await atTerminal('wrong battery', enroll);
    expect(wrong.result, wrong.output).toMatchObject(REFUSED);
    expect(await customer.liveDevicesOf(serial)).toEqual([]);
    const run = await atTerminal(PASSWORD, enroll);
    expect(run.code, run.output + (await inside(`journalctl -q -u ${AGENT} -o cat`))).toBe(0);
    expect(run.result).toMatchObject({ result: 'green', keyKind: 'tpm' });
    await yubikey.pull();
    expect(await customer.liveDevicesOf(serial)).toMatchObject([{ keyKind: 'tpm' }]);
    expect(await inside('cat /etc/step/certs/acme.key')).toContain('TSS2 PRIVATE KEY');
    expect(await inside(`curl -sS --max-time 30 -o /dev/null -w '%{http_code}' ${INTRANET_URL}`)).toMatch(/^[234]/u);
    const journal = await inside('journalctl -q -b -o cat');
    expect(journal).not.toContain(PASSWORD);
    expect(journal.split('\n').filter((line) => new RegExp(`\\b${PIN}\\b`, 'u').test(line))).toEqual([]);
  });

  test('all see the same, and who sits at the screen may renew', async () => {
    for (const who of [ada, bob, root]) {
      // Beside other work on the host, programs of the emulated laptop take so long that a check may take one for hanging.
      const found = (): Promise<unknown> => cli(who, 'status').then(({ code, result }) => [code, result['result']]);
      await expect.poll(found, PATIENT).toEqual([0, 'healthy']);
    }
    expect((await cli(ada, 'renew')).result).toMatchObject({ result: 'renewed' });
    expect((await cli(bob, 'renew')).result).toMatchObject(REFUSED);
    expect((await cli(ada, 'uninstall')).result).toMatchObject(REFUSED);
  });

  test('the timer renews with the key in the TPM, and so does what mends the tunnel', async () => {
    const due = (): Promise<void> => letPass(machine, customer, { serial, folder: folder.path, hours: 14 });
    const renewals = (unit: string): Promise<string> =>
      inside(`journalctl -q -u ${unit} -o cat | grep -c '^exchange what=renewals http=200' || true`);
    const timer = '/run/systemd/system/kiwistack-enroll-check.timer.d';
    // So that it need not be waited for for an hour.
    await due();
    await inside(`mkdir ${timer}; printf '[Timer]\\nOnCalendar=\\nOnCalendar=*:*:0/10\\nRandomizedDelaySec=0\\nAccuracySec=1s\\n' >${timer}/soon.conf
      systemctl daemon-reload; systemctl restart kiwistack-enroll-check.timer`);
    await expect.poll(() => renewals(CHECK), PATIENT).toBe('1');
    await inside(`rm -r ${timer}; systemctl daemon-reload; systemctl restart kiwistack-enroll-check.timer`);
    await untilAtRest();
    await due();
    await inside('systemctl start kiwistack-mend@wake.service');
    expect(await renewals('kiwistack-mend@wake.service')).toBe('1');
    await expectWhole(machine);
    for (const unit of [AGENT, CHECK, 'kiwistack-mend@wake.service']) {
      const journal = await inside(`journalctl -q -u ${unit} -o cat`);
      expect(journal).toContain('TPM is there');
      expect(journal).not.toContain('is open');
      expect(
        journal.match(/head: cannot open '\/dev\/\w+' for reading: Operation not permitted/gu)?.length,
      ).toBeGreaterThanOrEqual(3);
    }
  });

  test('the journal names its requests as the gateway’s log does', async () => {
    await inside(`systemctl start ${CHECK}`);
    for (const [unit, what] of [
      [AGENT, 'renewals'],
      [CHECK, 'status'],
    ] as const) {
      const lines = (await inside(`journalctl -q -u ${unit} -o json --output-fields=MESSAGE,PRIORITY`)).split('\n');
      const entries = lines.map((line) => JSON.parse(line) as { MESSAGE: string; PRIORITY: string });
      const request = new RegExp(`^exchange what=${what} http=200 request=([0-9a-f-]{36}) ms=\\d+$`, 'u');
      const [found] = entries.filter(({ MESSAGE }) => request.test(MESSAGE));
      expect(found, entries.map(({ MESSAGE }) => MESSAGE).join('\n')).toMatchObject({ PRIORITY: '6' });
      const id = request.exec(found?.MESSAGE ?? '')?.[1] ?? '';
      await expect.poll(() => customer.world.sliceLog()).toContain(`"requestId":"${id}"`);
    }
  });

  test('who sits at the screen is told what only a person can do, and told when it is over', async () => {
    for (const file of readdirSync(DESKTOP).filter((name) => name.endsWith('.ts')))
      await machine.copyIn(path.join(DESKTOP, file), `/srv/desktop/${file}`, '644');
    await inside('chmod 755 /srv/desktop');
    const service = machine.spawn([...ada.as, NODE, '/srv/desktop/main.ts', '/run/user/1000/bus'], { env: ada.env });
    const heard: Heard[] = [];
    createInterface({ input: service.stdout }).on('line', (line) => heard.push(JSON.parse(line) as Heard));
    await expect.poll(() => heard).toMatchObject([{ type: 'ready', uid: 1000 }]);
    const key = '/etc/step/certs/acme.key';
    const check = `systemctl start ${CHECK} || true`;
    await inside(`mv ${key} /srv/acme.key`);
    await expect.poll(() => inside(check).then(() => heard.length), PATIENT).toBe(2);
    await inside(check);
    expect(heard).toHaveLength(2);
    expect(heard[1]).toMatchObject({ type: 'notify', title: 'The key of this laptop is gone' });
    await inside(`mv /srv/acme.key ${key}; ${check}`);
    await expect.poll(() => heard.slice(2), PATIENT).toMatchObject([{ type: 'close', notice: heard[1]?.['notice'] }]);
    service.kill(15);
    await service.ended;
  });

  test('at rest only the watcher is there, with less than 2 MB', async () => {
    await untilAtRest();
    const samples: string[] = [];
    const began = Date.now();
    while (Date.now() - began < REST_MS) {
      // A timer may have come due; what it starts is not at rest.
      const [atWork, ours] = [await inside(UNITS_AT_WORK), await inside(OURS)];
      if (atWork === '' && (await inside(UNITS_AT_WORK)) === '') samples.push(ours);
      await sleep(5_000);
    }
    expect(samples.length).toBeGreaterThan(5);
    expect(samples.filter((sample) => !/^\d+ \d+ kiwistack-watch$/u.test(sample))).toEqual([]);
    const [first, last] = [samples[0], samples.at(-1)].map((sample) => (sample ?? '').split(' ').map(Number));
    const most = Math.max(...samples.map((sample) => Number.parseInt(sample, 10)));
    const seconds = (Date.now() - began) / 1000;
    const ticks = (last?.[1] ?? 0) - (first?.[1] ?? 0);
    console.log(
      `at rest for ${seconds.toFixed(0)} s, ${samples.length} samples: ${most} KiB, ${ticks * 10} ms of processor time`,
    );
    expect(most).toBeLessThan(2048);
  });

  test('is removed with the password, and no unit has failed', async () => {
    const run = await atTerminal(PASSWORD, 'uninstall');
    expect(run.result, run.output).toMatchObject({ result: 'uninstalled', sliceTold: true });
    await untilAtRest();
    // What a key was made from is gone with its file: a TPM has little room.
    const kinds = ['handles-persistent', 'handles-transient', 'handles-loaded-session', 'handles-saved-session'];
    expect(await inside(kinds.map((kind) => `tpm2_getcap -T device:/dev/tpmrm0 ${kind}`).join('; '))).toBe('');
    expect(await inside('systemctl --failed --no-legend')).toBe('');
    expect(await customer.liveDevicesOf(serial)).toEqual([]);
  });
});
