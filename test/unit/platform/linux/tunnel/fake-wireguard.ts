import type { FakeLinux } from '../fake-linux.ts';

export const NAME = 'kiwi-acme';
export const UNIT = `wg-quick@${NAME}.service`;
export const CONF = `/etc/wireguard/${NAME}.conf`;
export const SERVER_PUBLIC_KEY = Buffer.alloc(32, 2).toString('base64');

/** Shakes hands with the endpoints that answer; remembers the interface and whether the unit is enabled. */
export class FakeWireguard {
  endpoint: string | undefined;
  enabled = false;
  handshake = 0;
  restarts = 0;
  wgQuickFails = false;
  /** Milliseconds between the handshake and the end of wg-quick. */
  wgQuickTakes = 0;
  readonly answering = new Set<string>();
  /** How often the interface is there again after it was removed. */
  comesBack = 0;
  /** Interfaces that no unit brought up. */
  readonly others: string[] = [];
  readonly machine: FakeLinux;

  constructor(machine: FakeLinux) {
    this.machine = machine;
  }

  async install(): Promise<void> {
    await this.machine.install('/usr/bin/systemctl', async ([verb, ...rest]) => {
      if (verb === 'is-active' && !rest.includes(UNIT)) return { code: 3 };
      if (!rest.includes(UNIT)) return;
      if (verb === 'enable') this.enabled = true;
      if (verb === 'disable') this.enabled = false;
      if (verb === 'is-active') return { code: this.endpoint === undefined ? 3 : 0 };
      if (verb === 'is-enabled') return { code: this.enabled ? 0 : 1 };
      if (verb === 'stop') this.endpoint = undefined;
      if (verb === 'restart') {
        if (this.wgQuickFails) return { code: 1, stderr: 'Job for wg-quick failed' };
        this.restarts++;
        this.talkTo(await this.machine.read(CONF));
        this.machine.time += this.wgQuickTakes;
      }
      return;
    });
    await this.machine.install('/usr/bin/wg', async ([verb, , file]) => {
      if (this.endpoint === undefined) return { code: 1, stderr: 'No such device' };
      if (verb === 'setconf') {
        const text = await this.machine.read((file ?? '').slice(this.machine.root.length));
        // wg(8) knows nothing of what wg-quick(8) adds.
        if (/^(?:Address|MTU|PostUp) /mu.test(text ?? '')) return { code: 1, stderr: 'Line unrecognized' };
        this.talkTo(text);
      }
      if (verb === 'showconf') {
        const lines = (await this.machine.read(CONF))?.split('\n') ?? [];
        const known = lines.filter((line) => !/^(?:#|Address|MTU|PostUp)/.test(line)).join('\n');
        return known.replace(/^Endpoint = .*$/mu, `Endpoint = ${this.endpoint}`);
      }
      if (verb !== 'show') return;
      const seconds = Math.floor(this.handshake / 1000);
      return `PRIVATE\tPUBLIC\t1\toff\n${SERVER_PUBLIC_KEY}\tPSK\t${this.endpoint}\t10.77.0.0/24\t${seconds}\t5\t6\t25\n`;
    });
    await this.machine.install('/usr/sbin/ip', ([, verb, action]) => {
      const interfaces = [...(this.endpoint === undefined ? [] : [NAME]), ...this.others];
      if (action === 'show') return interfaces.map((name, index) => `${index + 1}: ${name}: <UP> mtu 1420\n`).join('');
      if (this.endpoint === undefined) return { code: 1 };
      if (verb === 'delete' && this.comesBack-- <= 0) this.endpoint = undefined;
      return;
    });
  }

  talkTo(text: string | undefined): void {
    this.endpoint = /^Endpoint = (.*)$/m.exec(text ?? '')?.[1];
    this.handshake = this.endpoint !== undefined && this.answering.has(this.endpoint) ? this.machine.time : 0;
  }
}
