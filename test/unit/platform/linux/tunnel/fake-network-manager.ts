import { profileUuid } from '../../../../../src/laptop/tunnel/profile-uuid.ts';
import type { FakeLinux } from '../fake-linux.ts';

export const NAME = 'kiwi-acme';
export const UUID = profileUuid(NAME);
export const KEYFILE = `/etc/NetworkManager/system-connections/${NAME}.nmconnection`;
const CABLE =
  '1630f96c-f695-319b-b4a1-730a579b1a0c:/run/NetworkManager/system-connections/Wired connection 1.nmconnection';

/** NetworkManager and the kernel's WireGuard, answering as 1.42.4 did in the virtual laptop. */
export class FakeNetworkManager {
  running = true;
  version = '1.42.4';
  dnsMode = 'systemd-resolved';
  enabledAtBoot = true;
  /** Refuses files as it refuses one that others may read: exit code 0, and a line. */
  refuses = false;
  activates = true;
  /** What it has in memory of our profile; undefined: nothing. */
  profile: string | undefined;
  endpoint: string | undefined;
  /** Whose the interface is. */
  upBy: 'NetworkManager' | 'wg-quick' | 'another' | undefined;
  handshake = 0;
  readonly answering = new Set(['192.0.2.1:51820']);
  readonly #machine: FakeLinux;
  readonly #peer: string;

  constructor(machine: FakeLinux, peer: string) {
    this.#machine = machine;
    this.#peer = peer;
  }

  async install(): Promise<void> {
    const machine = this.#machine;
    await machine.write('/sys/module/wireguard/version', '1.0.0\n');
    await machine.install('/usr/bin/nmcli', (args) => this.#nmcli(args));
    await machine.install('/usr/bin/busctl', () =>
      this.running ? `s "${this.dnsMode}"\n` : { code: 1, stderr: 'Failed to get property Mode' },
    );
    await machine.install('/usr/bin/wg', async ([verb, , file]) => {
      if (this.upBy === undefined) return { code: 1, stderr: 'No such device' };
      if (verb === 'setconf') this.#talk(await machine.read((file ?? '').slice(machine.root.length)));
      if (verb === 'showconf')
        return `[Interface]\n\n[Peer]\nPublicKey = ${this.#peer}\nEndpoint = ${this.endpoint ?? '(none)'}\n`;
      if (verb !== 'show') return;
      const seconds = Math.floor(this.handshake / 1000);
      return `PRIVATE\tPUBLIC\t1\toff\n${this.#peer}\tPSK\t${this.endpoint ?? '(none)'}\t10.77.0.0/24\t${seconds}\t5\t6\t25\n`;
    });
    await machine.install('/usr/sbin/ip', (args) => {
      const there = this.upBy !== undefined;
      if (args.includes('delete')) this.upBy = undefined;
      if (!there) return args.includes('dev') ? { code: 1 } : '';
      return `7: ${NAME}: <UP> mtu 1420\n`;
    });
    await machine.install('/usr/bin/systemctl', async ([verb, ...rest]) => {
      if (rest.includes('NetworkManager.service')) return { code: this.enabledAtBoot ? 0 : 1 };
      if (verb === 'restart') {
        this.upBy = 'wg-quick';
        this.#talk(await machine.read(`/etc/wireguard/${NAME}.conf`));
      }
      if (verb === 'stop' && this.upBy === 'wg-quick') this.upBy = undefined;
      if (verb === 'is-active') return { code: this.upBy === 'wg-quick' ? 0 : 3 };
      return;
    });
  }

  async #nmcli(args: readonly string[]) {
    const said = args.join(' ').replaceAll(this.#machine.root, '');
    if (said === '--terse --fields RUNNING,VERSION general') {
      return this.running
        ? `running:${this.version}\n`
        : { code: 8, stderr: 'Error: NetworkManager is not running.\n' };
    }
    if (!this.running) return { code: 8, stderr: 'Error: NetworkManager is not running.\n' };
    if (said === '--terse --fields RUNNING general') return 'running\n';
    if (said === `connection load ${KEYFILE}`) {
      if (this.refuses) return { code: 0, stderr: `Could not load file '${KEYFILE}'\n` };
      this.profile = await this.#machine.read(KEYFILE);
      return;
    }
    if (said === '--terse --fields UUID,FILENAME connection show') {
      return `${CABLE}\n${this.profile === undefined ? '' : `${UUID}:${KEYFILE}\n`}`;
    }
    const unknown = { code: 10, stderr: `Error: ${UUID} - no such connection profile.\n` };
    if (!said.includes(UUID) || this.profile === undefined) return unknown;
    if (said.includes('connection up')) {
      if (!this.activates) {
        const stderr = `Error: Connection activation failed: No suitable device found for this connection (device ${NAME} not available because device is strictly unmanaged).\n`;
        return { code: 4, stderr };
      }
      this.upBy = 'NetworkManager';
      this.#talk(this.profile);
    }
    if (said.includes('connection down')) this.#release();
    if (said.includes('connection modify'))
      this.profile = this.profile.replace('autoconnect=false', 'autoconnect=true');
    if (said.includes('connection delete')) {
      this.#release();
      this.profile = undefined;
      await this.#machine.remove(KEYFILE);
    }
    if (said.includes('--get-values connection.autoconnect')) {
      return this.profile?.includes('autoconnect=false') === true ? 'no\n' : 'yes\n';
    }
    return said.includes('--get-values connection.uuid') ? `${UUID}\n` : undefined;
  }

  #release(): void {
    if (this.upBy === 'NetworkManager') this.upBy = undefined;
  }

  #talk(text: string | undefined): void {
    this.endpoint = /^endpoint ?= ?(.*)$/imu.exec(text ?? '')?.[1];
    this.handshake = this.endpoint !== undefined && this.answering.has(this.endpoint) ? this.#machine.time : 0;
  }
}
