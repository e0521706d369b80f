import { expect } from 'vitest';

import { sh } from '../machine/install-package.ts';
import type { Machine } from '../machine/machine.ts';
import type { Oem } from './oem.ts';

const VOLUME = '/dev/disk/by-partlabel/kiwi-data';
/** Until a claim is through: long on a busy machine, but not for ever. */
const CLAIMED = { timeout: 1_500_000, interval: 2_000 };

/** What a laptop made from an image is asked. */
export class LaptopOfOem {
  readonly machine: Machine;
  readonly #oem: Oem;

  constructor(machine: Machine, oem: Oem) {
    this.machine = machine;
    this.#oem = oem;
  }

  sh(script: string): Promise<string> {
    return sh(this.machine, script);
  }

  /** Switched on, and as far as nothing but its claim is left to do. */
  async start(): Promise<void> {
    await this.machine.boot();
    await this.sh(`until systemctl is-active --quiet cloud-config.service; do
      if systemctl is-failed --quiet cloud-config.service; then exit 1; fi; sleep 1; done`);
  }

  async expectSecureBoot(): Promise<void> {
    expect(await this.sh('od -An -t u1 -j 4 -N 1 /sys/firmware/efi/efivars/SecureBoot-*')).toBe('1');
    expect(await this.sh('cat /sys/class/dmi/id/product_serial')).toBe(this.machine.smbios.serial);
    expect(await this.sh('grep -c . /etc/machine-id')).toBe('1');
  }

  /** An encrypted volume for people, with the key that it made itself. */
  async expectOwnVolume(): Promise<void> {
    expect(await this.sh('findmnt -no SOURCE,FSTYPE /home')).toMatch(/^\/dev\/mapper\/kiwi-data\s+ext4$/u);
    expect(await this.sh('cryptsetup status kiwi-data | grep -c "type: *LUKS2"')).toBe('1');
    const note = JSON.parse(await this.sh('cat /etc/kiwistack/factory-disk.json')) as unknown;
    expect(note).toEqual({ device: VOLUME, volumeKey: 'own' });
    const factory = '--test-passphrase --disable-external-tokens --key-file /etc/kiwistack/factory.key';
    await this.sh(`cryptsetup open ${factory} ${VOLUME}`);
    expect(await this.sh('stat -c "%a %u %s" /etc/kiwistack/factory.key')).toBe('600 0 64');
  }

  volumeId(): Promise<string> {
    return this.sh(`cryptsetup luksUUID ${VOLUME}`);
  }

  /** One device, one token used, online in Fleet, healthy: nobody did anything in front of it. */
  async expectClaimed(): Promise<void> {
    const { customer } = this.#oem;
    const { serial } = this.machine.smbios;
    const waits = async (): Promise<string> => {
      const unit = await this.machine.run(['/bin/systemctl', 'is-active', 'kiwistack-first-boot.service']);
      if (unit.stdout.trim() === 'active') return 'goes on';
      return this.sh('test ! -e /var/lib/kiwistack/bootstrap.json || journalctl -u kiwistack-first-boot | tail -n 40');
    };
    await expect.poll(waits, CLAIMED).toBe('');
    const devices = (await customer.operator.ask('device.list')).filter(({ host }) => host.serial === serial);
    expect(devices.map(({ state }) => state)).toEqual(['active']);
    const tokens = (await customer.operator.ask('batch.tokens', {})).filter((token) => token.serial === serial);
    expect(tokens).toMatchObject([{ deviceId: devices[0]?.id }]);
    const hosts = (): ReturnType<typeof customer.fleetHosts> =>
      customer.fleetHosts({ dmi: { product_serial: serial } });
    await expect.poll(hosts, CLAIMED).toMatchObject([{ status: 'online' }]);
  }

  /** Certificate, tunnel and Fleet's agent, as the program itself and others see them. */
  async expectHealthy(): Promise<void> {
    const status = async (): Promise<string> => {
      const { code, stdout, stderr } = await this.machine.run(['/usr/bin/kiwistack-enroll', 'status', '--json']);
      return code === 0 ? 'healthy' : stdout + stderr;
    };
    await expect.poll(status, CLAIMED).toBe('healthy');
    await this.sh('timeout 60 bash -c "</dev/tcp/10.77.1.30/443"');
  }

  /** The slice keeps a recovery key, the TPM opens the volume, and the factory's key opens nothing any more. */
  async expectDiskSecured(): Promise<void> {
    const { customer } = this.#oem;
    const left = async (): Promise<string> => {
      const unit = await this.machine.run(['/bin/systemctl', 'is-active', 'kiwistack-disk.service']);
      if (unit.stdout.trim() === 'activating') return 'goes on';
      return this.sh('test ! -e /etc/kiwistack/factory.key || journalctl -u kiwistack-disk | tail -n 40');
    };
    await expect.poll(left, CLAIMED).toBe('');
    expect(await this.sh('grep ^kiwi-data /etc/crypttab')).toContain('tpm2-device=auto');
    expect(await this.sh(`cryptsetup luksDump ${VOLUME} | grep -c systemd-tpm2`)).toBe('1');
    const kept = await customer.operator.ask('recovery-key.list', {});
    expect(kept.map(({ volume }) => volume.uuid)).toContain(await this.volumeId());
  }
}
