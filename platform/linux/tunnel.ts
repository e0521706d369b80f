import { lookup } from 'node:dns/promises';
import { access, mkdir, readFile, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { systemClock } from '../../src/core/clock.ts';
import { ignoreMissing, removeDurableFile, removeLeftovers, writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import type { Found } from '../../src/laptop/system/found.ts';
import type { LocalNetwork, Tunnel, TunnelConfig, TunnelStatus } from '../../src/laptop/system/tunnel.ts';
import { mtuIn, withEndpoint, withMtu } from '../../src/laptop/tunnel/edit-wg-quick.ts';
import { endpointCandidates, splitEndpoint, type ResolveHost } from '../../src/laptop/tunnel/endpoint-candidates.ts';
import { tunnelInterfaceName } from '../../src/laptop/tunnel/interface-name.ts';
import { renderWgQuick, renderWgSetconf, type WgQuickOptions } from '../../src/laptop/tunnel/render-wg-quick.ts';
import { findTunnels, TUNNEL_DROP_IN } from './find-tunnels.ts';
import { localNetworks } from './local-networks.ts';
import { PATHS } from './paths.ts';
import { at, findProgram, runTool, runToolChecked, type LinuxSystem } from './system.ts';
import { unitLog } from './unit-log.ts';
import { wgDump, wgHandshake, wgNudge, wgRace, wgReadd, wgSetconf } from './wg.ts';
import { kernelHasWireguard, userspaceWireguard } from './wireguard-support.ts';

/** Time limit for a handshake, over all candidates. */
const HANDSHAKE_MS = 20_000;
/** Each candidate's first chance: one round trip with time to spare. Afterwards the rest of the time is shared evenly. */
const FIRST_CHANCE_MS = 2_500;
/** A tunnel in use repeats its handshake every two minutes; with an older one it is in doubt. */
const HEALTHY_HANDSHAKE_MS = 150_000;
const RESOLVE_MS = 5_000;

type Render = Omit<WgQuickOptions, 'endpoint'>;

/** WireGuard through wg-quick(8) and its systemd unit: kernel module where there is one, else a userspace program. */
export class WgQuickTunnel implements Tunnel {
  readonly #system: LinuxSystem;
  readonly #resolve: ResolveHost;

  constructor(system: LinuxSystem, resolve: ResolveHost = resolveHost) {
    this.#system = system;
    this.#resolve = resolve;
  }

  async up(config: TunnelConfig, signal?: AbortSignal): Promise<void> {
    const name = tunnelInterfaceName(config.slug);
    const [first, ...others] = await this.#candidates(config);
    const current = await this.#currentConfig(name);
    // An MTU that was lowered for this path stays.
    const render: Render = {
      resolvectl: await this.#resolvectl(),
      mtu: current === undefined ? undefined : mtuIn(current),
    };
    const candidates = [first, ...others];
    const kept = candidates.find((endpoint) => renderWgQuick(config, { endpoint, ...render }) === current);
    const started = (await wgDump(this.#system, name)) !== undefined;
    // Before anything starts, because the handshake may come before wg-quick exits; wg reports it in whole seconds.
    const since = Math.floor(this.#system.clock.now() / 1000) * 1000;
    if (kept !== undefined && started) {
      await this.#systemctl(['enable', unitOf(name)], signal);
      const alive = this.#system.clock.now() - HEALTHY_HANDSHAKE_MS;
      if (await wgHandshake(this.#system, { name, peer: config.serverPublicKey, since: alive, ms: 0 }, signal)) return;
      await wgSetconf(this.#system, name, renderWgSetconf(config, kept), signal);
      const order = [kept, ...candidates.filter((endpoint) => endpoint !== kept)];
      return this.#handshake(name, config, order, render, since, signal);
    }
    await this.#preferUserspaceIfNeeded(name);
    await this.#write(name, renderWgQuick(config, { endpoint: first, ...render }));
    if (started) await this.#stop(name);
    await this.#systemctl(['enable', unitOf(name)], signal);
    // Not `--now`: a unit whose interface somebody deleted is still active, and would not be started.
    await this.#restart(name, signal);
    await this.#handshake(name, config, candidates, render, since, signal);
  }

  async found(): Promise<readonly Found[]> {
    return findTunnels(this.#system);
  }

  async down(slug: string | undefined): Promise<void> {
    const names = (await findTunnels(this.#system)).filter(({ ours }) => ours).map(({ name }) => name);
    if (slug !== undefined) names.push(tunnelInterfaceName(slug));
    for (const name of new Set(names)) await this.#down(name);
  }

  async #down(name: string): Promise<void> {
    // Disabling and stopping are tried whatever state the unit is in; the result is checked below.
    await runTool(this.#system, { name: 'systemctl', args: ['disable', unitOf(name)], timeoutMs: 30_000 });
    await this.#stop(name);
    await removeDurableFile(this.#configFile(name));
    const dropInFolder = this.#dropInFolder(name);
    const hadDropIn = await exists(dropInFolder);
    await removeLeftovers(path.join(dropInFolder, TUNNEL_DROP_IN));
    await rm(path.join(dropInFolder, TUNNEL_DROP_IN), { force: true });
    await rmdir(dropInFolder).catch(() => undefined);
    if (hadDropIn) await runTool(this.#system, { name: 'systemctl', args: ['daemon-reload'] });
    await runTool(this.#system, { name: 'systemctl', args: ['reset-failed', unitOf(name)] });
    if (await this.#interfaceExists(name)) {
      throw new KiwiError('tunnel-tools-failed', { detail: `the interface ${name} cannot be removed` });
    }
  }

  async status(slug: string): Promise<TunnelStatus> {
    const name = tunnelInterfaceName(slug);
    const dump = await wgDump(this.#system, name);
    const peer = dump?.peers[0];
    const enabled = await runTool(this.#system, { name: 'systemctl', args: ['is-enabled', unitOf(name)] });
    const config = await this.#currentConfig(name);
    return {
      interface: name,
      up: dump !== undefined,
      startsAtBoot: enabled.code === 0 && config !== undefined,
      mtu: await this.#mtu(name),
      endpoint: peer?.endpoint,
      lastHandshake: peer?.lastHandshake,
      rxBytes: peer?.rxBytes ?? 0,
      txBytes: peer?.txBytes ?? 0,
      splitDns: dump !== undefined && config?.includes('default-route %i false') === true,
    };
  }

  async probe(address: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const deadline = this.#system.clock.monotonic() + timeoutMs;
    do {
      const result = await runTool(this.#system, {
        name: 'ping',
        args: ['-n', '-q', '-c', '1', '-W', String(Math.min(1, timeoutMs / 1000)), '--', address],
        timeoutMs: timeoutMs + 2_000,
        signal,
      });
      if (result.code === 0) return true;
    } while (this.#system.clock.monotonic() < deadline);
    return false;
  }

  async carries(address: string, bytes: number, signal?: AbortSignal): Promise<boolean> {
    // 28 bytes of headers; `-M do`: nobody may fragment it. With a deadline, ping goes on until one reply has come.
    const size = ['-M', 'do', '-s', String(bytes - 28)];
    const args = ['-n', '-q', '-c', '1', '-i', '0.3', '-w', '2', ...size, '--', address];
    return (await runTool(this.#system, { name: 'ping', args, timeoutMs: 10_000, signal })).code === 0;
  }

  async setMtu(slug: string, mtu: number, trial?: 'trial'): Promise<void> {
    const name = tunnelInterfaceName(slug);
    const args = ['link', 'set', 'dev', name, 'mtu', String(mtu)];
    await runToolChecked(this.#system, { name: 'ip', args }, 'tunnel-tools-failed');
    const text = trial === undefined ? await this.#currentConfig(name) : undefined;
    if (text !== undefined) await this.#write(name, withMtu(text, mtu));
  }

  resolve(endpoints: readonly string[]): Promise<readonly string[]> {
    return endpointCandidates(endpoints, this.#resolve);
  }

  async routable(endpoints: readonly string[]): Promise<readonly string[]> {
    const codes = await Promise.all(
      endpoints.map((endpoint) => {
        const args = ['route', 'get', splitEndpoint(endpoint).host];
        return runTool(this.#system, { name: 'ip', args, timeoutMs: 5_000 }).then(({ code }) => code);
      }),
    );
    return endpoints.filter((_, index) => codes[index] === 0);
  }

  nudge(slug: string): Promise<void> {
    return wgNudge(this.#system, tunnelInterfaceName(slug));
  }

  readdPeer(slug: string): Promise<void> {
    return wgReadd(this.#system, tunnelInterfaceName(slug));
  }

  async follow(slug: string, endpoints: readonly string[], signal?: AbortSignal): Promise<string | undefined> {
    const name = tunnelInterfaceName(slug);
    const text = await this.#currentConfig(name);
    const peer = (await wgDump(this.#system, name))?.peers[0];
    if (text === undefined || peer === undefined) return undefined;
    const candidates = await this.routable(await this.resolve(endpoints));
    // The address in use is silent already: it comes last.
    const order = [...candidates].sort((a, b) => Number(a === peer.endpoint) - Number(b === peer.endpoint));
    const found = await wgRace(this.#system, { name, peer: peer.publicKey, endpoints: order }, signal);
    if (found !== undefined) await this.#write(name, withEndpoint(text, found));
    else if (order.length > 0) await wgReadd(this.#system, name, peer.endpoint, signal);
    return found;
  }

  localNetworks(slug: string): Promise<LocalNetwork[]> {
    return localNetworks(this.#system, tunnelInterfaceName(slug));
  }

  async #candidates(config: TunnelConfig): Promise<[string, ...string[]]> {
    const [first, ...others] = await endpointCandidates(config.endpoints, this.#resolve);
    if (first !== undefined) return [first, ...others];
    throw new KiwiError('tunnel-no-handshake', { detail: `no address for ${config.endpoints.join(', ')}` });
  }

  /** Waits for a handshake with each candidate in turn and keeps the first that answers, in the file as well. */
  async #handshake(
    name: string,
    config: TunnelConfig,
    candidates: readonly string[],
    render: Render,
    since: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const shared = Math.max(0, HANDSHAKE_MS - FIRST_CHANCE_MS * candidates.length) / candidates.length;
    for (const chance of candidates.length === 1 ? [HANDSHAKE_MS] : [FIRST_CHANCE_MS, shared]) {
      for (const endpoint of candidates) {
        const alone = candidates.length === 1;
        if (!(alone || (chance === FIRST_CHANCE_MS && endpoint === candidates[0]))) {
          await wgSetconf(this.#system, name, renderWgSetconf(config, endpoint), signal);
        }
        const wanted = { name, peer: config.serverPublicKey, since, ms: chance };
        if (!(await wgHandshake(this.#system, wanted, signal))) continue;
        await this.#write(name, renderWgQuick(config, { endpoint, ...render }));
        return;
      }
    }
    throw new KiwiError('tunnel-no-handshake', { detail: `tried ${candidates.join(', ')}` });
  }

  /** Stops the unit, and removes the interface even if the unit did not create it. */
  async #stop(name: string): Promise<void> {
    await runTool(this.#system, { name: 'systemctl', args: ['stop', unitOf(name)], timeoutMs: 30_000 });
    if (await this.#interfaceExists(name)) {
      await runTool(this.#system, { name: 'ip', args: ['link', 'delete', 'dev', name] });
    }
  }

  async #systemctl(args: readonly string[], signal?: AbortSignal): Promise<void> {
    await runToolChecked(this.#system, { name: 'systemctl', args, timeoutMs: 30_000, signal }, 'tunnel-tools-failed');
  }

  /** systemctl only says where to look; the undo removes the unit, so what wg-quick said is looked up now. */
  async #restart(name: string, signal?: AbortSignal): Promise<void> {
    const since = this.#system.clock.now();
    const command = { name: 'systemctl', args: ['restart', unitOf(name)], timeoutMs: 30_000, signal };
    const { code, stderr } = await runTool(this.#system, command);
    if (code === 0) return;
    const log = (await unitLog(this.#system, { unit: unitOf(name), sinceMs: since, lines: 12 })).trim().slice(-500);
    const said = log === '' ? stderr.toString().trim().slice(-500) : log;
    throw new KiwiError('tunnel-tools-failed', {
      detail: `systemctl restart ${unitOf(name)}: exit code ${code}: ${said}`,
    });
  }

  async #write(name: string, text: string): Promise<void> {
    if ((await this.#currentConfig(name)) === text) return;
    await mkdir(at(this.#system, PATHS.wireguard), { recursive: true, mode: 0o700 });
    await writeDurableFile(this.#configFile(name), text, 0o600);
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

  /** The program, when systemd-resolved answers: `resolvectl` may be installed without the service. */
  async #resolvectl(): Promise<string | undefined> {
    const program = await findProgram(this.#system, 'resolvectl');
    if (program === undefined) return undefined;
    const status = await this.#system.run({ program, args: ['status', '--no-pager'], timeoutMs: 5_000 });
    return status.code === 0 ? program : undefined;
  }

  async #mtu(name: string): Promise<number | undefined> {
    const { code, stdout } = await runTool(this.#system, { name: 'ip', args: ['-o', 'link', 'show', 'dev', name] });
    const found = code === 0 ? / mtu (\d+) /u.exec(stdout.toString())?.[1] : undefined;
    return found === undefined ? undefined : Number(found);
  }

  async #interfaceExists(name: string): Promise<boolean> {
    return (await runTool(this.#system, { name: 'ip', args: ['link', 'show', 'dev', name] })).code === 0;
  }

  async #currentConfig(name: string): Promise<string | undefined> {
    return readFile(this.#configFile(name), 'utf8').catch(ignoreMissing);
  }

  #configFile(name: string): string {
    return at(this.#system, `${PATHS.wireguard}/${name}.conf`);
  }

  #dropInFolder(name: string): string {
    return at(this.#system, `${PATHS.systemdUnits}/${unitOf(name)}.d`);
  }
}

function unitOf(name: string): string {
  return `wg-quick@${name}.service`;
}

/** The system's resolver may take half a minute; we do not wait that long for a name. */
async function resolveHost(host: string): Promise<string[]> {
  const late = new AbortController();
  try {
    const given = systemClock.sleep(RESOLVE_MS, late.signal).then(() => []);
    return (await Promise.race([lookup(host, { all: true }), given])).map(({ address }) => address);
  } finally {
    late.abort();
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
