import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Lab, type Laptop } from '../../lab/lab.ts';

let dir: string;
let lab: Lab;
let laptop: Laptop;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lab-systemctl-'));
  lab = await Lab.create({ dir });
  laptop = await lab.addLaptop({ name: 'ada' });
});
afterAll(async () => {
  await lab.destroy();
  await rm(dir, { recursive: true, force: true });
});

async function write(path: string, text: string, mode = '644'): Promise<void> {
  const result = await laptop.run(
    ['/bin/sh', '-c', 'mkdir -p "${1%/*}" && cat >"$1" && chmod "$2" "$1"', 'sh', path, mode],
    {
      input: text,
    },
  );
  expect(result.code).toBe(0);
}

/** `systemctl ARGS…` as one readable text: exit code, then what it printed. */
async function systemctl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await laptop.run(['/usr/bin/systemctl', ...args]);
  return `${code} ${stdout}${stderr}`.trim();
}

async function output(...argv: string[]): Promise<string> {
  const { stdout, stderr } = await laptop.run(argv);
  return `${stdout}${stderr}`.trim();
}

async function until(what: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await what())) {
    if (Date.now() > end) throw new Error('it did not become true within a minute');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the systemctl stand-in', () => {
  test('answers for a unit that does not exist as systemd does', async () => {
    expect(await systemctl('start', 'nope')).toBe('5 Failed to start nope.service: Unit nope.service not found.');
    expect(await systemctl('stop', 'nope')).toBe('5 Failed to stop nope.service: Unit nope.service not loaded.');
    expect(await systemctl('is-active', 'nope')).toBe('4 inactive');
    expect(await systemctl('enable', 'nope')).toBe('1 Failed to enable unit: Unit file nope.service does not exist.');
    expect(await systemctl('status', 'nope')).toBe('4 Unit nope.service could not be found.');
    expect(await systemctl('show', '-p', 'LoadState', '--value', 'nope')).toBe('0 not-found');
    expect(await systemctl('is-enabled', 'nope')).toBe(
      '1 Failed to get unit file state for nope.service: No such file or directory',
    );
  });

  test('starts, shows, enables, restarts and stops a simple service with its environment', async () => {
    await write('/etc/default/hello', '# comment\nTOKEN="s3cret word"\nPLACE=moon\n', '600');
    await write(
      '/etc/systemd/system/hello.service',
      `[Unit]
Description=A greeting
[Service]
Environment="GREETING=good day" PLACE=earth
EnvironmentFile=-/etc/default/not-there
EnvironmentFile=/etc/default/hello
ExecStartPre=/bin/sh -c 'echo "pre %n"'
ExecStart=/bin/sh -c 'echo "$GREETING, $PLACE, $TOKEN"; \\
  exec sleep 1000' \${PLACE}
Restart=always
RestartSec=50ms
[Install]
WantedBy=multi-user.target
`,
    );
    expect(await systemctl('is-active', 'hello')).toBe('3 inactive');
    expect(await systemctl('is-enabled', 'hello')).toBe('1 disabled');
    expect(await systemctl('enable', '--now', 'hello')).toBe(
      '0 Created symlink /etc/systemd/system/multi-user.target.wants/hello.service → /etc/systemd/system/hello.service.',
    );
    expect(await systemctl('is-enabled', 'hello')).toBe('0 enabled');
    expect(await systemctl('is-active', 'hello')).toBe('0 active');
    await until(async () => (await output('/usr/bin/journalctl', '-u', 'hello')).includes('moon'));
    expect(await output('/usr/bin/journalctl', '-u', 'hello', '--no-pager', '-o', 'cat')).toBe(
      'pre hello.service\nStarted A greeting.\ngood day, moon, s3cret word',
    );
    expect(await systemctl('show', '-p', 'ActiveState,SubState', '-p', 'UnitFileState', 'hello')).toBe(
      '0 ActiveState=active\nSubState=running\nUnitFileState=enabled',
    );

    // A secret of the environment file is in the process's environment and in no argument list.
    expect(await output('/bin/ps', 'axww', '-o', 'args')).not.toContain('s3cret');
    const pid = await output('/usr/bin/systemctl', 'show', '-p', 'MainPID', '--value', 'hello');
    expect(await output('/bin/cat', `/proc/${pid}/environ`)).toContain('TOKEN=s3cret word');

    // Killed from outside, it comes back.
    await laptop.run(['/bin/kill', '-KILL', pid]);
    await until(async () => {
      const now = await output('/usr/bin/systemctl', 'show', '-p', 'MainPID', '--value', 'hello');
      return now !== pid && now !== '0';
    });
    expect(await output('/usr/bin/systemctl', 'show', '-p', 'NRestarts', 'hello')).toBe('NRestarts=1');
    expect(await systemctl('restart', 'hello')).toBe('0');
    expect(await systemctl('disable', '--now', 'hello')).toBe(
      '0 Removed "/etc/systemd/system/multi-user.target.wants/hello.service".',
    );
    expect(await systemctl('is-active', 'hello')).toBe('3 inactive');
    // The process may be seen for a moment after it was ended.
    await until(async () => !(await output('/bin/ps', 'axww', '-o', 'args')).includes('sleep 1000'));
  });

  test('runs oneshot units, keeps RemainAfterExit active, and reports a failing one', async () => {
    await write(
      '/etc/systemd/system/once.service',
      `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'setsid sleep 1001 </dev/null >/dev/null 2>&1 &'
ExecStop=/bin/sh -c 'echo stopped >/run/once'
`,
    );
    await write(
      '/etc/systemd/system/bad.service',
      '[Service]\nType=oneshot\nExecStart=-/bin/false\nExecStart=/bin/sh -c "echo I give up; exit 3"\n',
    );
    expect(await systemctl('start', 'once')).toBe('0');
    expect(await systemctl('show', '-P', 'SubState', 'once')).toBe('0 exited');
    expect(await output('/bin/ps', 'axww', '-o', 'args')).toContain('sleep 1001');
    expect(await systemctl('stop', 'once')).toBe('0');
    expect(await output('/bin/cat', '/run/once')).toBe('stopped');
    // A daemon that the unit left behind is ended with it, as by the control group.
    expect(await output('/bin/ps', 'axww', '-o', 'args')).not.toContain('sleep 1001');

    expect(await systemctl('start', 'bad')).toMatch(
      /^1 Job for bad\.service failed because the control process exited with error code\./u,
    );
    expect(await systemctl('is-active', 'bad')).toBe('3 failed');
    expect(await systemctl('is-failed', 'bad')).toBe('0 failed');
    expect(await systemctl('show', '-p', 'ExecMainStatus', '--value', 'bad')).toBe('0 3');
    expect(await output('/usr/bin/journalctl', '-u', 'bad')).toContain('I give up');
    expect(await systemctl('reset-failed', 'bad')).toBe('0');
    expect(await systemctl('is-failed', 'bad')).toBe('1 inactive');
    expect(await systemctl('is-enabled', 'bad')).toBe('0 static');
  });

  test('gives up on a service that keeps failing', async () => {
    await write(
      '/etc/systemd/system/crash.service',
      '[Service]\nExecStart=/bin/false\nRestart=on-failure\nRestartSec=10ms\n',
    );
    expect(await systemctl('start', 'crash')).toBe('0');
    await until(async () => (await systemctl('is-failed', 'crash')) === '0 failed');
    expect(await systemctl('show', '-p', 'Result', '--value', 'crash')).toBe('0 start-limit-hit');
  });

  test('reads templates and drop-ins, and refuses a masked unit', async () => {
    await write('/usr/lib/systemd/system/echo@.service', '[Service]\nType=oneshot\nExecStart=/bin/echo one %i\n');
    await write(
      '/etc/systemd/system/echo@.service.d/10-more.conf',
      '[Service]\nExecStart=\nExecStart=/bin/echo two %I %%\n[Install]\nWantedBy=multi-user.target\n',
    );
    expect(await systemctl('start', 'echo@a-b')).toBe('0');
    expect(await output('/usr/bin/journalctl', '-u', 'echo@a-b', '-n', '2')).toContain('two a/b %');
    expect(await systemctl('enable', '-q', 'echo@a-b')).toBe('0');
    expect(await systemctl('is-enabled', 'echo@a-b')).toBe('0 enabled');
    expect(await systemctl('is-enabled', 'echo@c')).toBe('1 disabled');
    expect(await systemctl('mask', 'echo@c')).toBe('0 Created symlink /etc/systemd/system/echo@c.service → /dev/null.');
    expect(await systemctl('start', 'echo@c')).toBe('1 Failed to start echo@c.service: Unit echo@c.service is masked.');
    expect(await systemctl('unmask', 'echo@c')).toBe('0 Removed "/etc/systemd/system/echo@c.service".');
    expect(await systemctl('cat', 'echo@c')).toContain('# /etc/systemd/system/echo@.service.d/10-more.conf');
  });

  test('starts what is enabled when the laptop boots', async () => {
    await write(
      '/etc/systemd/system/stay.service',
      '[Service]\nExecStart=/bin/sleep 1002\n[Install]\nWantedBy=multi-user.target\n',
    );
    await systemctl('enable', 'stay');
    await laptop.powerOff();
    await laptop.boot();
    expect(await systemctl('is-active', 'stay')).toBe('0 active');
  });

  test('leaves a link whole or none when its client is killed, and one client waits for another', async () => {
    const unit = (name: string): Promise<void> =>
      write(
        `/etc/systemd/system/${name}.service`,
        '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=sweep.target\n',
      );
    await Promise.all([unit('killed'), unit('beside')]);
    const sweep = `
      for ms in $(seq 0 2 60); do
        setsid systemctl enable -q killed & client=$!
        sleep "$(printf 0.%03d "$ms")"; kill -KILL -- "-$client" 2>/dev/null; wait "$client" 2>/dev/null
        systemctl disable -q killed
        [ ! -e /etc/systemd/system/sweep.target.wants ] || echo "left after $ms ms"
      done
      turns() { for turn in $(seq 20); do systemctl enable -q "$1" && systemctl disable -q "$1" || echo "$1 failed"; done; }
      turns killed & turns beside; wait
      ls -d /etc/systemd/system/sweep.target.wants 2>/dev/null`;
    expect(await output('/bin/bash', '-c', sweep)).toBe('');
  });

  test('starts a unit with alternative conditions when one of them is met', async () => {
    const unit = (paths: readonly string[]): string =>
      `[Unit]\n${paths.map((path) => `ConditionPathExists=${path}\n`).join('')}[Service]\nExecStart=/bin/sleep 1000\n`;
    await write('/etc/systemd/system/choosy.service', unit(['|/etc/choosy', '|/etc/other', '/etc/hosts']));
    await systemctl('start', 'choosy');
    expect(await systemctl('is-active', 'choosy')).toBe('3 inactive');
    await write('/etc/other', '');
    await systemctl('start', 'choosy');
    expect(await systemctl('is-active', 'choosy')).toBe('0 active');
    await systemctl('stop', 'choosy');
  });
});
