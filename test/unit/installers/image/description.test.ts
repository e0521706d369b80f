import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

import { describe, expect, test } from 'vitest';

import { DISTRIBUTIONS } from '../../../../installers/image/distributions.ts';

const ROOT = path.join(import.meta.dirname, '../../../../installers/image/root');
const file = (name: string): Promise<string> => readFile(path.join(ROOT, name), 'utf8');
const lines = async (name: string): Promise<string[]> =>
  (await file(name)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the description of an image', () => {
  test('cloud-init takes no seed but the one in the image', async () => {
    const settings = await lines('etc/cloud/cloud.cfg.d/99-kiwistack.cfg');
    // Each of the two alone lets a USB stick with the label CIDATA in: its user-data would run as root.
    expect(settings).toContain('datasource_list: [NoCloud]');
    expect(settings).toContain('datasource: { NoCloud: { fs_label: null } }');
    expect((await readdir(path.join(ROOT, 'var/lib/cloud/seed/nocloud'))).sort()).toEqual(['meta-data', 'user-data']);
  });

  test('cloud-init makes no account, no host key and no network', async () => {
    const settings = await lines('etc/cloud/cloud.cfg.d/99-kiwistack.cfg');
    for (const line of ['users: []', 'ssh_genkeytypes: []', 'network: { config: disabled }']) {
      expect(settings).toContain(line);
    }
    expect(settings.filter((line) => line.includes('_modules:')).join(' ')).not.toMatch(/ssh|users|network|growpart/u);
  });

  test('the volume has the same name wherever it is named', async () => {
    expect(await lines('etc/crypttab')).toEqual([
      'kiwi-data /dev/disk/by-partlabel/kiwi-data /etc/kiwistack/factory.key luks',
    ]);
    expect(await lines('etc/repart.d/20-data.conf')).toContain('Label=kiwi-data');
    const unit = await lines('usr/lib/systemd/system/kiwistack-format-volume.service');
    expect(unit).toContain(String.raw`BindsTo=dev-disk-by\x2dpartlabel-kiwi\x2ddata.device`);
    expect(unit.find((line) => line.startsWith('Before='))).toContain(
      String.raw`systemd-cryptsetup@kiwi\x2ddata.service`,
    );
  });

  test('the volume is formatted only until the note about it is written, which comes last', async () => {
    const unit = await lines('usr/lib/systemd/system/kiwistack-format-volume.service');
    expect(unit).toContain('ConditionPathExists=!/etc/kiwistack/factory-disk.json');
    const script = await file('usr/lib/kiwistack-image/format-volume');
    const steps = ['mv "$key.new" "$key"', 'luksFormat', 'mv "$note.new" "$note"'].map((step) => script.indexOf(step));
    expect(steps).toEqual([...steps].sort((one, other) => one - other));
    expect(steps).not.toContain(-1);
    expect((await stat(path.join(ROOT, 'usr/lib/kiwistack-image/format-volume'))).mode & 0o111).not.toBe(0);
  });

  test('the boot loader is taken to the EFI partition whenever one of its files changes, GRUB before shim', async () => {
    const script = await lines('usr/lib/kiwistack-image/update-boot-loader');
    const copied = script.flatMap((line) => /^copy (?<from>\S+)/u.exec(line)?.groups?.['from'] ?? []);
    expect(copied.map((from) => path.basename(from))).toEqual([
      'grubx64.efi.signed',
      'mmx64.efi.signed',
      'shimx64.efi.signed',
    ]);
    const watched = await lines('usr/lib/systemd/system/kiwistack-boot-loader.path');
    for (const from of copied) expect(watched).toContain(`PathChanged=${from}`);
    expect((await stat(path.join(ROOT, 'usr/lib/kiwistack-image/update-boot-loader'))).mode & 0o111).not.toBe(0);
  });

  test('the settings that update-grub writes later start the system as the first ones do', async () => {
    const words = (await lines('etc/default/grub')).join(' ');
    const settle = await readFile(path.join(ROOT, '../settle-root.ts'), 'utf8');
    const first = / ro (?<words>[^\n]*) quiet\n/u.exec(settle)?.groups?.['words'] ?? '';
    expect(first).not.toBe('');
    expect(words).toContain(`GRUB_CMDLINE_LINUX="${first}"`);
  });

  test('nothing in the tree that is copied into an image is secret', async () => {
    for (const entry of await readdir(ROOT, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = await readFile(path.join(entry.parentPath, entry.name), 'utf8');
      expect(text, entry.name).not.toMatch(/BEGIN|secret|password|token/u);
    }
  });
});

describe.each(Object.entries(DISTRIBUTIONS))('%s', (_name, { packages }) => {
  test('gives a reason for every package', () => {
    for (const [name, why] of Object.entries(packages)) {
      expect(name).toMatch(/^[a-z0-9][a-z0-9+.-]+$/u);
      expect(why.length).toBeGreaterThan(5);
    }
  });

  test('has what sign-in, disk, network and boot need, and no server that would make keys of its own', () => {
    const names = Object.keys(packages);
    for (const name of ['cloud-init', 'network-manager', 'sssd-ldap', 'sssd-krb5', 'cryptsetup-bin', 'shim-signed']) {
      expect(names).toContain(name);
    }
    expect(names).not.toContain('openssh-server');
  });
});
