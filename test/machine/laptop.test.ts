import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { makeKey } from '../virtual-yubikey/key/make-key.ts';
import { makeRoot } from '../virtual-yubikey/key/make-root.ts';
import { difference } from './digest.ts';
import { Machine } from './machine.ts';
import { plugInYubiKey } from './plug-in-yubikey.ts';
import { useSuiteFolder } from './suite-folder.ts';

const IDENTITY = {
  manufacturer: 'LENOVO',
  product: '21HMS0AB00',
  serial: 'SN-42',
  uuid: '2f1f5a1e-8d0b-4c5e-9a57-0c2f4a7d1b11',
};

const folder = useSuiteFolder('laptop');
let machine: Machine;

beforeAll(async () => {
  machine = await Machine.boot({ dir: path.join(folder.path, 'ada'), name: 'ada', smbios: IDENTITY });
}, 1_800_000);

/** Runs a script in the machine and returns its output. */
async function sh(script: string, input = ''): Promise<string> {
  const { code, stdout, stderr } = await machine.run(['/bin/sh', '-ec', script], { input });
  if (code !== 0) throw new Error(`${script}\n${stdout}${stderr}(ended with ${code})`);
  return stdout.trim();
}

describe('a virtual laptop', () => {
  test('has a systemd of its own, and nothing failed at its start', async () => {
    expect(await sh('cat /proc/1/comm; systemctl is-system-running; systemctl --failed --no-legend')).toBe(
      'systemd\nrunning',
    );
  });

  test('shows the identity that it was given', async () => {
    const files = 'sys_vendor product_name product_serial product_uuid';
    expect((await sh(`cd /sys/class/dmi/id; cat ${files}`)).split('\n')).toEqual([
      IDENTITY.manufacturer,
      IDENTITY.product,
      IDENTITY.serial,
      IDENTITY.uuid,
    ]);
  });

  test('carries input, output, errors, exit codes and signals of its programs', async () => {
    const long = 'x'.repeat(3_000_000);
    expect((await machine.run(['/bin/cat'], { input: long })).stdout).toBe(long);
    expect(await machine.run(['/bin/sh', '-c', 'echo out; echo err >&2; exit 3'])).toEqual({
      code: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    const sleeping = machine.spawn(['/bin/sleep', '600']);
    sleeping.kill(15);
    expect(await sleeping.ended).toBe(143);
    await expect(machine.run(['/bin/sleep', '600'], { timeoutMs: 300 })).rejects.toThrow('did not end within 300 ms');
    expect((await machine.run(['/no/such/program'])).code).toBe(127);
  });

  test('takes and gives files', async () => {
    const file = path.join(folder.path, 'file');
    await writeFile(file, 'the content');
    await machine.copyIn(file, '/tmp/new/file', '640');
    expect(await sh('stat -c %a /tmp/new/file')).toBe('640');
    await machine.copyOut('/tmp/new/file', `${file}.back`);
    expect(await sh('cat /tmp/new/file; rm -r /tmp/new')).toBe('the content');
  });

  test('has WireGuard in its kernel', async () => {
    const script = `umask 077
      wg genkey >/tmp/a; wg genkey >/tmp/b
      ip netns add other
      ip link add wg1 type wireguard
      wg set wg1 private-key /tmp/b listen-port 51999 peer "$(wg pubkey </tmp/a)" allowed-ips 10.9.9.1/32
      ip link set wg1 netns other
      ip netns exec other sh -ec 'ip addr add 10.9.9.2/24 dev wg1; ip link set wg1 up'
      printf '[Interface]\\nPrivateKey=%s\\nAddress=10.9.9.1/24\\n[Peer]\\nPublicKey=%s\\nAllowedIPs=10.9.9.2/32\\nEndpoint=127.0.0.1:51999\\n' \\
        "$(cat /tmp/a)" "$(wg pubkey </tmp/b)" >/tmp/test0.conf
      wg-quick up /tmp/test0.conf >&2
      ping -c 1 -W 10 10.9.9.2 >&2
      ip -d link show test0 | grep -o wireguard
      wg-quick down /tmp/test0.conf >&2
      ip netns del other; rm /tmp/a /tmp/b /tmp/test0.conf`;
    expect(await sh(script)).toBe('wireguard');
  });

  test('has a TPM', async () => {
    expect(await sh('ls /dev/tpmrm0; TPM2TOOLS_TCTI=device:/dev/tpmrm0 tpm2_getrandom --hex 8')).toMatch(
      /^\/dev\/tpmrm0\n[0-9a-f]{16}$/u,
    );
  });

  test('has radios, when asked for', async () => {
    const radios = await sh('modprobe mac80211_hwsim radios=2; sleep 1; iw dev; nmcli -t -f DEVICE,TYPE device');
    expect(radios.match(/^\tInterface wlan\d$/gmu)).toHaveLength(2);
    expect(radios).toMatch(/^wlan0:wifi$/mu);
    await sh('modprobe -r mac80211_hwsim');
  });

  test('sleeps and wakes up', async () => {
    const clocks = `cat /proc/uptime; awk '/^now at/ { print int($3 / 1000000) }' /proc/timer_list`;
    const before = (await sh(clocks)).split(/\s+/u).map(Number);
    await sh('rtcwake -m mem -s 8 >&2');
    const after = (await sh(clocks)).split(/\s+/u).map(Number);
    // /proc/uptime keeps counting during sleep, the monotonic clock does not.
    const slept = (after[0] ?? 0) - (before[0] ?? 0) - ((after[2] ?? 0) - (before[2] ?? 0)) / 1000;
    expect(slept).toBeGreaterThan(4);
  });

  test('has a port for a YubiKey', async () => {
    makeRoot(path.join(folder.path, 'yubico'));
    const statePath = path.join(folder.path, 'key.json');
    const key = { serial: 20_123_456, firmware: '5.4.3', formFactor: 1, fips: false };
    makeKey({ statePath, rootDirectory: path.join(folder.path, 'yubico'), ...key });
    const yubikey = await plugInYubiKey(machine, statePath);
    expect(await sh('yubico-piv-tool -a status')).toMatch(/^Serial Number:\t20123456$/mu);
    await yubikey.pull();
    await expect(sh('yubico-piv-tool -a status')).rejects.toThrow('Failed to connect');
  });

  test('after a power cut has what was flushed to its disk, and not what was only in its memory', async () => {
    const before = await machine.digest();
    // Or the kernel flushes it all by itself, after five seconds at the earliest: on a busy machine, before the power is cut.
    await sh('mount -o remount,commit=3600 /; echo 0 >/proc/sys/vm/dirty_writeback_centisecs');
    await sh('sync; echo kept >/var/kept; sync; echo lost >/var/lost');
    await machine.powerCut();
    await expect(machine.run(['/bin/true'])).rejects.toThrow('ada is off');
    await machine.boot();
    expect(await sh('cat /var/kept; ls /var/lost || true')).toBe('kept');
    await sh('rm /var/kept');
    expect(difference(before, await machine.digest())).toEqual([]);
  });

  test('is compared as a whole: what a change leaves is named', async () => {
    const before = await machine.digest();
    await sh(
      'chmod 600 /etc/hostname; ln -s nowhere /etc/link; echo x >>/etc/hosts; rm /etc/motd; ip link add d0 type dummy',
    );
    const lines = difference(before, await machine.digest());
    const named = (what: string): string[] => lines.filter((line) => line.startsWith(`${what} `));
    expect(named('/etc/hostname')).toEqual([
      expect.stringMatching(/^\/etc\/hostname \+ f 0600 /u),
      expect.stringMatching(/^\/etc\/hostname - f 0644 /u),
    ]);
    expect(named('/etc/link')).toEqual(['/etc/link + l 0777 0:0 nowhere']);
    expect(named('/etc/hosts')).toHaveLength(2);
    expect(named('/etc/motd')).toEqual([expect.stringMatching(/^\/etc\/motd - f /u)]);
    expect(named('link')).toEqual(['link d0: + 1']);
  });
});
