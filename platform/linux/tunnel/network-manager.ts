import { mkdir } from 'node:fs/promises';

import { removeDurableFile, writeDurableFile } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import {
  keyfileWithEndpoint,
  keyfileWithMtu,
  mtuInKeyfile,
  peerInKeyfile,
} from '../../../src/laptop/tunnel/edit-keyfile.ts';
import { profileUuid } from '../../../src/laptop/tunnel/profile-uuid.ts';
import { renderKeyfile } from '../../../src/laptop/tunnel/render-keyfile.ts';
import type { RunResult } from '../../../src/programs/run-program.ts';
import { PATHS } from '../paths.ts';
import { at, findProgram, runTool, type LinuxSystem } from '../system.ts';
import type { Backend, RenderProfile } from './backend.ts';
import { readProfile } from './profile-files.ts';

const UP_SECONDS = 20;
/**
 * `busctl`, because nmcli does not show how NetworkManager hands on name servers. With these two, the servers of a link are asked for its
 * own domains alone.
 */
const DNS_MODE = ['org.freedesktop.NetworkManager', '/org/freedesktop/NetworkManager/DnsManager'] as const;
const SPLITTING = new Set(['s "systemd-resolved"', 's "dnsmasq"']);

/**
 * NetworkManager, with a profile for root alone. `nmcli` cannot make one: it has no property for a peer, and the private key would be an
 * argument. So the file is written, loaded, and looked for: `connection load` returns 0 also for a file that is refused.
 */
export class NetworkManager implements Backend {
  readonly title = 'NetworkManager';
  readonly withEndpoint = keyfileWithEndpoint;
  readonly withMtu = keyfileWithMtu;
  readonly mtuIn = mtuInKeyfile;
  readonly peerIn = peerInKeyfile;
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  file(name: string): string {
    return `${PATHS.networkManager}/${name}.nmconnection`;
  }

  /** It has no unit for a single profile, and brings up all of them without waiting for a network. */
  unit(): string {
    return 'NetworkManager.service';
  }

  commands(name: string): { start: string; enable: string } {
    const enable = `sudo nmcli connection modify ${name} connection.autoconnect yes`;
    return { start: `sudo nmcli connection up ${name}`, enable };
  }

  async renderer(): Promise<RenderProfile> {
    const splitDns = await this.#splitsNames();
    return (config, options) => renderKeyfile(config, { splitDns, ...options });
  }

  async read(name: string): Promise<string | undefined> {
    return readProfile(this.#system, this.file(name), name);
  }

  async write(name: string, text: string): Promise<void> {
    if ((await this.read(name)) === text) return;
    await mkdir(at(this.#system, PATHS.networkManager), { recursive: true, mode: 0o755 });
    await writeDurableFile(at(this.#system, this.file(name)), text, 0o600);
    // What it does not run for now is read at its next start.
    if (await this.#runs()) await this.#load(name);
  }

  splitsDns(text: string): boolean {
    return /^dns=/mu.test(text) && /^dns-search=~/mu.test(text);
  }

  /** Part of the profile; it may have been switched off since. */
  async enable(name: string, signal?: AbortSignal): Promise<void> {
    if ((await this.#property(name, 'connection.autoconnect')) !== 'no') return;
    const args = ['connection', 'modify', 'uuid', profileUuid(name), 'connection.autoconnect', 'yes'];
    fail('connection modify', await this.#nmcli(args, signal));
  }

  async startsAtBoot(name: string): Promise<boolean> {
    if ((await this.#property(name, 'connection.autoconnect')) !== 'yes') return false;
    const args = ['is-enabled', '--quiet', this.unit()];
    return (await runTool(this.#system, { name: 'systemctl', args })).code === 0;
  }

  async start(name: string, signal?: AbortSignal): Promise<void> {
    await this.#load(name);
    const args = ['--wait', String(UP_SECONDS), 'connection', 'up', 'uuid', profileUuid(name)];
    fail('connection up', await this.#nmcli(args, signal));
  }

  async stop(name: string): Promise<void> {
    await this.#nmcli(['--wait', '10', 'connection', 'down', 'uuid', profileUuid(name)]);
  }

  async remove(name: string): Promise<void> {
    // What it has in memory goes with the file; without it, only the file is there.
    await this.#nmcli(['--wait', '10', 'connection', 'delete', 'uuid', profileUuid(name)]);
    if ((await this.read(name)) !== undefined) await removeDurableFile(at(this.#system, this.file(name)));
  }

  /** @throws KiwiError `tunnel-tools-failed` when the profile is not among those that it knows */
  async #load(name: string): Promise<void> {
    const file = this.file(name);
    const loaded = await this.#nmcli(['connection', 'load', at(this.#system, file)]);
    const shown = await this.#nmcli(['--terse', '--fields', 'UUID,FILENAME', 'connection', 'show']);
    const said = `${loaded.stdout.toString()}\n${loaded.stderr.toString()}\n${shown.stderr.toString()}`.trim();
    const known = shown.stdout
      .toString()
      .split('\n')
      .includes(`${profileUuid(name)}:${file}`);
    // An earlier version of a file that is refused stays known.
    if (known && !said.includes('Could not load')) return;
    throw new KiwiError('tunnel-tools-failed', {
      detail: `NetworkManager refuses the profile ${file}: ${said.slice(-500)}`,
    });
  }

  async #property(name: string, property: string): Promise<string | undefined> {
    const { code, stdout } = await this.#nmcli([
      '--get-values',
      property,
      'connection',
      'show',
      'uuid',
      profileUuid(name),
    ]);
    return code === 0 ? stdout.toString().trim() : undefined;
  }

  async #splitsNames(): Promise<boolean> {
    const args = ['get-property', ...DNS_MODE, 'org.freedesktop.NetworkManager.DnsManager', 'Mode'];
    if ((await findProgram(this.#system, 'busctl')) === undefined) return false;
    const { code, stdout } = await runTool(this.#system, { name: 'busctl', args, timeoutMs: 20_000 });
    return code === 0 && SPLITTING.has(stdout.toString().trim());
  }

  async #runs(): Promise<boolean> {
    return (await this.#nmcli(['--terse', '--fields', 'RUNNING', 'general'])).stdout.toString().trim() === 'running';
  }

  /** Any exit code; without nmcli as if NetworkManager did not run (8, nmcli(1)). */
  async #nmcli(args: readonly string[], signal?: AbortSignal): Promise<RunResult> {
    if ((await findProgram(this.#system, 'nmcli')) === undefined) {
      return { code: 8, signal: null, stdout: Buffer.of(), stderr: Buffer.from('nmcli is not installed') };
    }
    return runTool(this.#system, { name: 'nmcli', args, timeoutMs: (UP_SECONDS + 5) * 1000, signal });
  }
}

function fail(what: string, { code, stdout, stderr }: RunResult): void {
  if (code === 0) return;
  const said = `${stderr.toString()}\n${stdout.toString()}`.trim().slice(-500);
  throw new KiwiError('tunnel-tools-failed', { detail: `nmcli ${what}: exit code ${code}: ${said}` });
}
