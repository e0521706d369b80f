import { readFile, rm } from 'node:fs/promises';

import { at } from '../../../../platform/windows/system.ts';
import type { FakeWindows } from './fake-windows.ts';

const PREFIX = 'WireGuardTunnel$';

/** WireGuard for Windows: makes and removes services of tunnels, and shakes hands with the endpoints that answer. */
export class FakeWireguard {
  readonly answering = new Set<string>();
  installs = 0;
  readonly #machine: FakeWindows;
  /** The text that a running tunnel was last given. */
  #conf = '';
  #handshake = 0;

  constructor(machine: FakeWindows) {
    this.#machine = machine;
    machine.programs['wireguard'] = async ([verb, what = '']) => {
      if (verb === '/installtunnelservice') {
        const name = PREFIX + (/([^/\\]+)\.conf$/u.exec(what)?.[1] ?? '');
        if (machine.services.has(name)) return { code: 1, stderr: 'Tunnel already installed' };
        const command = `"wireguard.exe" /tunnelservice "${what}"`;
        machine.services.set(name, { state: 4, start: 2, exitCode: 0, command, recovers: false });
        this.installs++;
        this.#talk(await readFile(what, 'utf8'));
      } else if (!machine.services.delete(PREFIX + what)) return { code: 1 };
      return undefined;
    };
    machine.programs['wg'] = async ([verb, name = '', ...rest]) => {
      if (machine.services.get(PREFIX + name)?.state !== 4) return { code: 1 };
      if (verb === 'showconf') return { stdout: this.#conf.replaceAll('\n', '\r\n') };
      if (verb === 'setconf') this.#talk(await readFile(rest[0] ?? '', 'utf8'));
      else if (verb === 'set') this.#talk(this.#conf);
      else if (verb === 'show') return { stdout: this.#dump() };
      else throw new TypeError(`no such verb of wg: ${verb ?? ''}`);
      return undefined;
    };
  }

  /** The programs are gone, the services stay. */
  async uninstall(): Promise<void> {
    await rm(at(this.#machine, 'Program Files/WireGuard'), { recursive: true });
    delete this.#machine.programs['wireguard'];
    delete this.#machine.programs['wg'];
  }

  #talk(conf: string): void {
    this.#conf = conf;
    this.#handshake = this.answering.has(this.#value('Endpoint')) ? this.#machine.time : 0;
  }

  #value(name: string): string {
    return new RegExp(`^${name} = (.*)$`, 'mu').exec(this.#conf)?.[1] ?? '';
  }

  #dump(): string {
    const seconds = Math.floor(this.#handshake / 1000);
    const own = [this.#value('PrivateKey'), 'ownPublicKey', '51820', 'off'].join('\t');
    const peer = [this.#value('PublicKey'), this.#value('PresharedKey'), this.#value('Endpoint')];
    return `${own}\r\n${[...peer, this.#value('AllowedIPs').replaceAll(' ', ''), seconds, 100, 200, 25].join('\t')}\r\n`;
  }
}
