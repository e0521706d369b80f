import { access, mkdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { removeDurableFile, removeLeftovers, writeDurableFile } from '../../../src/core/durable-file.ts';
import { KiwiError } from '../../../src/core/errors.ts';
import { mtuIn, peerIn, withEndpoint, withMtu } from '../../../src/laptop/tunnel/edit-wg-quick.ts';
import { renderWgQuick } from '../../../src/laptop/tunnel/render-wg-quick.ts';
import { PATHS } from '../paths.ts';
import { at, findProgram, runTool, runToolChecked, type LinuxSystem } from '../system.ts';
import { unitLog } from '../unit-log.ts';
import type { Backend, RenderProfile } from './backend.ts';
import { TUNNEL_DROP_IN } from './find-tunnels.ts';
import { foreignProfiles, readProfile } from './profile-files.ts';
import { kernelHasWireguard, userspaceWireguard } from './wireguard-support.ts';

/** wg-quick(8) and its systemd unit: with the kernel's WireGuard where there is one, else with wireguard-go. */
export class WgQuick implements Backend {
  readonly title = 'wg-quick';
  readonly withEndpoint = withEndpoint;
  readonly withMtu = withMtu;
  readonly mtuIn = mtuIn;
  readonly peerIn = peerIn;
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  file(name: string): string {
    return `${PATHS.wireguard}/${name}.conf`;
  }

  unit(name: string): string {
    return `wg-quick@${name}.service`;
  }

  commands(name: string): { start: string; enable: string } {
    const unit = this.unit(name);
    return { start: `sudo systemctl restart ${unit}`, enable: `sudo systemctl enable ${unit}` };
  }

  async renderer(): Promise<RenderProfile> {
    const resolvectl = await this.#resolvectl();
    return (config, options) => renderWgQuick(config, { resolvectl, ...options });
  }

  async read(name: string): Promise<string | undefined> {
    return readProfile(this.#system, this.file(name), name);
  }

  async write(name: string, text: string): Promise<void> {
    if ((await this.read(name)) === text) return;
    await mkdir(at(this.#system, PATHS.wireguard), { recursive: true, mode: 0o700 });
    await writeDurableFile(at(this.#system, this.file(name)), text, 0o600);
  }

  splitsDns(text: string): boolean {
    return text.includes('default-route %i false');
  }

  async enable(name: string, signal?: AbortSignal): Promise<void> {
    await this.#systemctl(['enable', this.unit(name)], signal);
  }

  async startsAtBoot(name: string): Promise<boolean> {
    const enabled = await runTool(this.#system, { name: 'systemctl', args: ['is-enabled', this.unit(name)] });
    return enabled.code === 0 && (await this.read(name)) !== undefined;
  }

  /**
   * Not `enable --now`: a unit whose interface somebody deleted is still active, and would not be started. systemctl only says where
   * to look, and the undo removes the unit, so what wg-quick said is looked up now.
   */
  async start(name: string, signal?: AbortSignal): Promise<void> {
    await this.#preferUserspaceIfNeeded(name);
    const unit = this.unit(name);
    const since = this.#system.clock.now();
    const command = { name: 'systemctl', args: ['restart', unit], timeoutMs: 30_000, signal };
    const { code, stderr } = await runTool(this.#system, command);
    if (code === 0) return;
    const log = (await unitLog(this.#system, { unit, sinceMs: since, lines: 12 })).trim().slice(-500);
    const said = log === '' ? stderr.toString().trim().slice(-500) : log;
    throw new KiwiError('tunnel-tools-failed', { detail: `systemctl restart ${unit}: exit code ${code}: ${said}` });
  }

  async stop(name: string): Promise<void> {
    if (await this.#isForeign(name)) return;
    await runTool(this.#system, { name: 'systemctl', args: ['stop', this.unit(name)], timeoutMs: 30_000 });
  }

  async remove(name: string): Promise<void> {
    if (await this.#isForeign(name)) return;
    // Disabling is tried whatever state the unit is in.
    await runTool(this.#system, { name: 'systemctl', args: ['disable', this.unit(name)], timeoutMs: 30_000 });
    await removeDurableFile(at(this.#system, this.file(name)));
    const folder = this.#dropInFolder(name);
    const hadDropIn = await exists(folder);
    await removeLeftovers(path.join(folder, TUNNEL_DROP_IN));
    await rm(path.join(folder, TUNNEL_DROP_IN), { force: true });
    await rmdir(folder).catch(() => undefined);
    if (hadDropIn) await runTool(this.#system, { name: 'systemctl', args: ['daemon-reload'] });
    await runTool(this.#system, { name: 'systemctl', args: ['reset-failed', this.unit(name)] });
  }

  /**
   * wg-quick falls back to `wireguard-go` automatically; the drop-in gives the program's absolute path, so that nothing else
   * of that name on PATH runs as root. Without a kernel module and without a userspace program wg-quick itself reports what
   * is missing.
   */
  async #preferUserspaceIfNeeded(name: string): Promise<void> {
    const program = await userspaceWireguard(this.#system);
    if (program === undefined || (await kernelHasWireguard(this.#system))) return;
    const folder = this.#dropInFolder(name);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const text = `[Service]\nEnvironment=WG_QUICK_USERSPACE_IMPLEMENTATION=${program}\n`;
    await writeDurableFile(path.join(folder, TUNNEL_DROP_IN), text, 0o644);
    await this.#systemctl(['daemon-reload']);
  }

  /** The unit, and all else of its name, belongs to whoever wrote its configuration. */
  async #isForeign(name: string): Promise<boolean> {
    return (await foreignProfiles(this.#system, name)).includes(this.file(name));
  }

  /** The program, when systemd-resolved answers: `resolvectl` may be installed without the service. */
  async #resolvectl(): Promise<string | undefined> {
    const program = await findProgram(this.#system, 'resolvectl');
    if (program === undefined) return undefined;
    const status = await this.#system.run({ program, args: ['status', '--no-pager'], timeoutMs: 20_000 });
    return status.code === 0 ? program : undefined;
  }

  async #systemctl(args: readonly string[], signal?: AbortSignal): Promise<void> {
    await runToolChecked(this.#system, { name: 'systemctl', args, timeoutMs: 30_000, signal }, 'tunnel-tools-failed');
  }

  #dropInFolder(name: string): string {
    return at(this.#system, `${PATHS.systemdUnits}/${this.unit(name)}.d`);
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
