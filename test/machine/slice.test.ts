import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { buildDeb } from '../contract/linux-package/build.ts';
import { installPackage, sh } from './install-package.ts';
import { Machine } from './machine.ts';
import { useSuiteFolder } from './suite-folder.ts';

// The package of those who run slices, on a machine with systemd: the unit's sandbox is the real one, and WireGuard the kernel's. What the
// program does is tested elsewhere (test/contract/slice, test/contract/linux-package).

const STEP_CA = path.join(import.meta.dirname, '..', '..', '.cache', 'bin', 'step-ca');
const DIR = '/var/lib/kiwistack-slice/acme';
const UNIT = 'kiwistack-slice@acme.service';
const NAME = 'enroll.acme.example';
/** Of the system, and of others. */
const FOLDERS = [
  '/',
  '/boot',
  '/etc',
  '/home',
  '/opt',
  '/root',
  '/run',
  '/run/lock',
  '/srv',
  '/usr',
  '/var',
  '/var/lib',
];
/** A slice under TCG takes its time. */
const PATIENT = { timeout: 300_000, interval: 1_000 };
/** What a slice leaves of itself in the kernel when it is stopped: nothing. */
const IN_KERNEL = `ip -o link show kiwi-slice 2>/dev/null || true; nft list tables; cat /proc/sys/net/ipv4/ip_forward`;
/** CAP_NET_BIND_SERVICE and CAP_NET_ADMIN, and nothing else (capability.h). */
const CAPABILITIES = ((1 << 10) | (1 << 12)).toString(16).padStart(16, '0');

const folder = useSuiteFolder('slice', { story: true });
let machine: Machine;
const inside = (script: string): Promise<string> => sh(machine, script);

beforeAll(async () => {
  const [booted, deb] = await Promise.all([
    Machine.boot({ dir: path.join(folder.path, 'server'), name: 'server', tpm: false }),
    buildDeb(folder.path, ['--package', 'kiwistack-slice']),
  ]);
  machine = booted;
  await installPackage(machine, deb);
  await machine.copyIn(STEP_CA, '/usr/local/bin/step-ca', '755');
  await inside('sync');
}, 1_800_000);

const property = (name: string): Promise<string> => inside(`systemctl show -P ${name} ${UNIT}`);
async function state(): Promise<string> {
  const { stdout, stderr } = await machine.run(['/usr/bin/kiwistack-slice', 'status', '--dir', DIR, '--json']);
  const { state: said, parts } = JSON.parse(stdout || '{}') as { state?: string; parts?: Record<string, unknown> };
  const up =
    parts !== undefined && ['gateway', 'stepCa', 'endpoint', 'auditWhole'].every((part) => parts[part] === true);
  return said === 'running' && up ? 'up' : `${stdout}${stderr}${await inside(`journalctl -q -u ${UNIT} -o cat -n 15`)}`;
}
const untilUp = (): Promise<void> => expect.poll(state, PATIENT).toBe('up');
/** As a laptop asks, which trusts the web. */
const answer = (): Promise<string> =>
  inside(
    `curl -sS --max-time 60 --cacert ${DIR}/web-ca/root.crt --resolve ${NAME}:443:127.0.0.1 https://${NAME}/healthz`,
  );
/** Of the web certificate with which the gateway answers. */
const shown = (): Promise<string> =>
  inside(`openssl s_client -connect 127.0.0.1:443 -servername ${NAME} </dev/null 2>/dev/null |
    openssl x509 -noout -fingerprint -sha256`);

describe('the service of a slice, under systemd', () => {
  test('is not started for a slice that does not exist, and that is said', async () => {
    await expect(inside(`systemctl start ${UNIT}`)).rejects.toThrow('Assertion failed');
    expect(await inside(`systemctl is-enabled ${UNIT} || true`)).toBe('disabled');
    expect(await inside(`systemd-analyze verify ${UNIT} 2>&1`)).toBe('');
  });

  test('runs one that was made with a command: gateway, step-ca, and a WireGuard of the kernel', async () => {
    const customer = `--slug acme --name 'Acme GmbH' --gateway-url https://${NAME}`;
    await inside(`kiwistack-slice init --dir ${DIR} ${customer}; systemctl enable --now ${UNIT} 2>&1`);
    await untilUp();
    expect(await property('NRestarts'), await inside(`journalctl -q -u ${UNIT} -o cat`)).toBe('0');
    expect(await answer()).toBe('{"status":"ok"}');
    expect(await inside('ip -d link show kiwi-slice')).toMatch(/^\s+wireguard /mu);
    expect(await inside(`wg show kiwi-slice listen-port; cat /proc/sys/net/ipv4/ip_forward`)).toBe('51820\n1');
    expect(await inside('systemctl --failed --no-legend')).toBe('');
  });

  test('has a log in the journal, one JSON object per line beside what is for people, without a secret', async () => {
    await expect.poll(() => inside(`journalctl -q -u ${UNIT} -o cat`)).toContain('The slice of Acme GmbH is up');
    const lines = (await inside(`journalctl -q -u ${UNIT} -o cat`)).split('\n').filter((line) => line.startsWith('{'));
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number) as number });
    // Every line of every private key, of PEM, JWK and WireGuard.
    const secrets = `find ${DIR} -name '*.key' -exec cat {} + | grep -v -e -----`;
    expect(Number(await inside(`${secrets} | wc -l`))).toBeGreaterThan(10);
    expect(await inside(`${secrets} >/run/secrets; journalctl -q -u ${UNIT} | grep -cF -f /run/secrets || true`)).toBe(
      '0',
    );
  });

  test('may write its own folder and nothing else, with two capabilities and a filter of system calls', async () => {
    const pid = await property('MainPID');
    // In its view of the file system, with all the rights that root has: what is refused is refused by the mount.
    const places = [...FOLDERS, DIR, '/run/wireguard', '/tmp', '/var/tmp'];
    const tried = await inside(`nsenter -t ${pid} -m -- sh -c 'for at in ${places.join(' ')}; do
      if touch $at/.tried 2>/dev/null; then rm $at/.tried; echo $at; fi; done'`);
    expect(tried.split('\n').sort()).toEqual(['/run/wireguard', '/tmp', DIR, '/var/tmp']);
    const group = await property('ControlGroup');
    const each = await inside(`for p in $(cat '/sys/fs/cgroup${group}/cgroup.procs'); do
      awk '/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ { printf "%s ", $2 }' /proc/$p/status
      basename $(readlink /proc/$p/exe); done`);
    const caps = `${CAPABILITIES} ${CAPABILITIES} 1 2`;
    expect(each.split('\n').sort()).toEqual([`${caps} node`, `${caps} step-ca`]);
    const exposure = /Overall exposure level.*: ([\d.]+)/u.exec(await inside(`systemd-analyze security ${UNIT}`))?.[1];
    expect(Number(exposure)).toBeGreaterThan(0);
    expect(Number(exposure)).toBeLessThan(4);
  });

  test('takes a web certificate that was replaced when it is reloaded, and keeps the old one if that is broken', async () => {
    const [pid, before] = [await property('MainPID'), await shown()];
    await inside(`cd ${DIR}; openssl ecparam -name prime256v1 -genkey -noout -out /run/new.key
      openssl req -new -key /run/new.key -subj /CN=${NAME} -out /run/new.csr
      echo 'subjectAltName=DNS:${NAME}' >/run/names
      openssl x509 -req -in /run/new.csr -CA web-ca/root.crt -CAkey web-ca/root.key -days 30 -extfile /run/names -out /run/new.crt
      for end in crt key; do install -m 600 /run/new.$end gateway/tls.$end; done
      systemctl reload ${UNIT}`);
    const now = await shown();
    expect(now).not.toBe(before);
    expect(now).toBe(await inside('openssl x509 -in /run/new.crt -noout -fingerprint -sha256'));
    await inside(`echo broken >${DIR}/gateway/tls.crt`);
    await expect(inside(`systemctl reload ${UNIT}`)).rejects.toThrow();
    expect([await shown(), await answer()]).toEqual([now, '{"status":"ok"}']);
    await inside(`install -m 600 /run/new.crt ${DIR}/gateway/tls.crt; systemctl reload ${UNIT}`);
    expect(await property('MainPID')).toBe(pid);
  });

  test('is there again after it was killed, with one step-ca', async () => {
    const pid = await property('MainPID');
    await inside(`kill -KILL ${pid}`);
    await expect.poll(() => property('NRestarts'), PATIENT).toBe('1');
    await untilUp();
    expect(await answer()).toBe('{"status":"ok"}');
    expect(await inside('pgrep -x -c step-ca')).toBe('1');
  });

  test('stops in order and leaves nothing in the kernel', async () => {
    await inside(`systemctl stop ${UNIT}`);
    expect([await property('Result'), await inside(IN_KERNEL)]).toEqual(['success', '0']);
    expect(await inside('pgrep -x step-ca || true')).toBe('');
    await inside(`systemctl start ${UNIT}`);
    await untilUp();
  });

  test('starts with the machine, also after a power cut', async () => {
    await machine.powerCut();
    await machine.boot();
    await untilUp();
    expect(await answer()).toBe('{"status":"ok"}');
    expect(await inside('systemctl --failed --no-legend')).toBe('');
  });
});

describe('removing the package', () => {
  const KEPT = `cd ${DIR}; sha256sum slice.json msp/root.key ca/intermediate.key wireguard/private.key`;

  test('stops the slice, leaves its data, and says so; also when it is purged', async () => {
    const kept = await inside(KEPT);
    expect(await inside('apt-get -q -y remove kiwistack-slice 2>&1')).toContain('were stopped and left as they are');
    expect(await inside(`systemctl is-active ${UNIT} || true; ${IN_KERNEL}`)).toBe('inactive\n0');
    expect(await inside('apt-get -q -y purge kiwistack-slice 2>&1')).toContain('were left as they are');
    expect(await inside(KEPT)).toBe(kept);
  });
});
