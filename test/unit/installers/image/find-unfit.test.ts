import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { findUnfit } from '../../../../installers/image/find-unfit.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'kiwi-unfit-'));
  await put('etc/machine-id', '');
  await put('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n');
  await put('etc/shadow', 'root:*:20000:0:99999:7:::\nsssd:!*:20000::::::\n');
  await put('usr/bin/program', 'reads "-----BEGIN PRIVATE KEY-----" and what follows');
  await mkdir(path.join(root, 'var/lib/dbus'), { recursive: true });
  await symlink('/etc/machine-id', path.join(root, 'var/lib/dbus/machine-id'));
  await symlink('/run/systemd/resolve/stub-resolv.conf', path.join(root, 'etc/resolv.conf'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(name: string, content: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, name)), { recursive: true });
  await writeFile(path.join(root, name), content);
}

const PEM = `-----BEGIN EC PRIVATE KEY-----\n${'MHcCAQEEIB'.repeat(6)}\n-----END EC PRIVATE KEY-----\n`;

describe('what must not be in an image', () => {
  test('a fit one has nothing of it', async () => {
    expect(await findUnfit(root)).toEqual([]);
  });

  test.each([
    ['etc/machine-id', '5f7a4c2d9b1e4f0c8a6d3b2c1e0f9a8b\n', 'a machine-id'],
    ['etc/ssh/ssh_host_ed25519_key', 'x', 'a host key'],
    ['etc/ssh/ssh_host_ed25519_key.pub', 'x', 'a host key'],
    ['etc/kiwistack/factory.key', 'x', 'the volume of one laptop'],
    ['var/lib/kiwistack/bootstrap.json', '{}', 'state of one laptop'],
    ['var/lib/systemd/random-seed', 'x', 'a secret of one laptop'],
    ['var/lib/cloud/instances/a/sem/b', '', 'a run of cloud-init'],
    ['etc/NetworkManager/system-connections/home.nmconnection', 'psk=x', 'a network of somebody'],
    ['var/lib/NetworkManager/secret_key', 'x', 'a secret of one laptop'],
    ['var/lib/sss/db/cache_corp.ldb', 'x', 'who has signed in somewhere'],
    ['etc/krb5.keytab', 'x', 'a credential'],
    ['etc/wireguard/kiwi-acme.conf', 'x', 'a credential'],
    ['root/.ssh/authorized_keys', 'x', 'something of a person'],
    ['etc/apt/auth.conf.d/mirror.conf', 'x', 'a password of a package source'],
    ['opt/orbit/secret.txt', 'x', "Fleet's agent, which belongs to one laptop"],
    ['var/log/dpkg.log', 'x', 'a log'],
    ['srv/some.pem', PEM, 'a private key'],
    ['usr/local/lib/key.pem', PEM, 'a private key'],
    [
      'etc/apt/apt.conf.d/99proxy',
      'Acquire::http::Proxy "http://10.0.0.1:3128";',
      'the proxy of the machine that builds',
    ],
    [
      'etc/apt/sources.list',
      'deb https://user:word@mirror.example/debian bookworm main',
      'a password of a package source',
    ],
  ])('%s is found', async (name, content, what) => {
    await put(name, content);
    expect(await findUnfit(root)).toEqual([`/${name}: ${what}`]);
  });

  test('the resolver of the machine that builds is found', async () => {
    await rm(path.join(root, 'etc/resolv.conf'));
    await put('etc/resolv.conf', 'nameserver 10.0.0.1\n');
    expect(await findUnfit(root)).toEqual(['/etc/resolv.conf: the resolver of the machine that builds']);
  });

  test('an account with a password is found, and one that needs none', async () => {
    await put('etc/shadow', 'root:$y$j9T$abc$def:20000:0:99999:7:::\nada::20000::::::\nold:!:1::::::\n');
    await put('etc/passwd', 'root:x:0:0:root:/root:/bin/bash\neve::0:0::/root:/bin/sh\n');
    expect(await findUnfit(root)).toEqual([
      '/etc/passwd: eve can log in',
      '/etc/shadow: ada can log in',
      '/etc/shadow: root can log in',
    ]);
  });
});
