import { KiwiError } from '../../../src/core/errors.ts';
import type { Found } from '../../../src/laptop/system/found.ts';
import type { LocalNetwork, Tunnel, TunnelConfig, TunnelStatus } from '../../../src/laptop/system/tunnel.ts';
import { endpointCandidates, splitEndpoint, type ResolveHost } from '../../../src/laptop/tunnel/endpoint-candidates.ts';
import { tunnelInterfaceName } from '../../../src/laptop/tunnel/interface-name.ts';
import { renderWgSetconf } from '../../../src/laptop/tunnel/render-wg-quick.ts';
import { runTool, runToolChecked, type LinuxSystem } from '../system.ts';
import type { Backend } from './backend.ts';
import { findTunnels } from './find-tunnels.ts';
import { localNetworks } from './local-networks.ts';
import { answersPing, carriesPing } from './ping.ts';
import { resolveHost } from './resolve-host.ts';
import { wgDump, wgHandshake, wgNudge, wgRace, wgReadd, wgSetconf } from './wg.ts';
import { WgQuick } from './wg-quick.ts';

/** Time limit for a handshake, over all candidates. */
const HANDSHAKE_MS = 20_000;
/** Each candidate's first chance: one round trip with time to spare. Afterwards the rest of the time is shared evenly. */
const FIRST_CHANCE_MS = 2_500;
/** A tunnel in use repeats its handshake every two minutes; with an older one it is in doubt. */
const HEALTHY_HANDSHAKE_MS = 150_000;

/** One tunnel on its way up. */
interface Rise {
  readonly name: string;
  readonly config: TunnelConfig;
  readonly backend: Backend;
  readonly render: (endpoint: string) => string;
  /** Handshakes from then on count. */
  readonly since: number;
  readonly signal: AbortSignal | undefined;
}

/** WireGuard, kept by a program of the system; this is what is the same with each. */
export class LinuxTunnel implements Tunnel {
  readonly #system: LinuxSystem;
  readonly #resolve: ResolveHost;
  readonly #backend: Backend;

  constructor(system: LinuxSystem, resolve: ResolveHost = resolveHost) {
    this.#system = system;
    this.#resolve = resolve;
    this.#backend = new WgQuick(system);
  }

  async up(config: TunnelConfig, signal?: AbortSignal): Promise<void> {
    const name = tunnelInterfaceName(config.slug);
    const candidates = await this.#candidates(config);
    const backend = this.#backend;
    const current = await backend.read(name);
    // An MTU that was lowered for this path stays.
    const mtu = current === undefined ? undefined : backend.mtuIn(current);
    const renderProfile = await backend.renderer();
    const render = (endpoint: string): string => renderProfile(config, { endpoint, mtu });
    const kept = candidates.find((endpoint) => render(endpoint) === current);
    const started = (await wgDump(this.#system, name)) !== undefined;
    // Before anything starts, because the handshake may come before the backend says so; wg reports it in whole seconds.
    const since = Math.floor(this.#system.clock.now() / 1000) * 1000;
    const rise: Rise = { name, config, backend, render, since, signal };
    if (kept !== undefined && started) {
      await backend.enable(name, signal);
      const alive = this.#system.clock.now() - HEALTHY_HANDSHAKE_MS;
      if (await wgHandshake(this.#system, { name, peer: config.serverPublicKey, since: alive, ms: 0 }, signal)) return;
      await wgSetconf(this.#system, name, renderWgSetconf(config, kept), signal);
      return this.#handshake(rise, [kept, ...candidates.filter((endpoint) => endpoint !== kept)]);
    }
    await backend.write(name, render(candidates[0]));
    if (started) await this.#stop(name);
    await backend.enable(name, signal);
    await backend.start(name, signal);
    await this.#handshake(rise, candidates);
  }

  async found(): Promise<readonly Found[]> {
    return findTunnels(this.#system);
  }

  async down(slug: string | undefined): Promise<void> {
    const names = (await findTunnels(this.#system)).filter(({ ours }) => ours).map(({ name }) => name);
    if (slug !== undefined) names.push(tunnelInterfaceName(slug));
    for (const name of new Set(names)) {
      await this.#stop(name);
      await this.#backend.remove(name);
      if (await this.#interfaceExists(name)) {
        throw new KiwiError('tunnel-tools-failed', { detail: `the interface ${name} cannot be removed` });
      }
    }
  }

  async status(slug: string): Promise<TunnelStatus> {
    const name = tunnelInterfaceName(slug);
    const dump = await wgDump(this.#system, name);
    const peer = dump?.peers[0];
    const text = await this.#backend.read(name);
    return {
      interface: name,
      up: dump !== undefined,
      startsAtBoot: await this.#backend.startsAtBoot(name),
      mtu: await this.#mtu(name),
      endpoint: peer?.endpoint,
      lastHandshake: peer?.lastHandshake,
      rxBytes: peer?.rxBytes ?? 0,
      txBytes: peer?.txBytes ?? 0,
      splitDns: dump !== undefined && text !== undefined && this.#backend.splitsDns(text),
    };
  }

  probe(address: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return answersPing(this.#system, address, timeoutMs, signal);
  }

  carries(address: string, bytes: number, signal?: AbortSignal): Promise<boolean> {
    return carriesPing(this.#system, address, bytes, signal);
  }

  async setMtu(slug: string, mtu: number, trial?: 'trial'): Promise<void> {
    const name = tunnelInterfaceName(slug);
    const args = ['link', 'set', 'dev', name, 'mtu', String(mtu)];
    await runToolChecked(this.#system, { name: 'ip', args }, 'tunnel-tools-failed');
    const text = trial === undefined ? await this.#backend.read(name) : undefined;
    if (text !== undefined) await this.#backend.write(name, this.#backend.withMtu(text, mtu));
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
    const text = await this.#backend.read(name);
    const peer = (await wgDump(this.#system, name))?.peers[0];
    if (text === undefined || peer === undefined) return undefined;
    const candidates = await this.routable(await this.resolve(endpoints));
    // The address in use is silent already: it comes last.
    const order = [...candidates].sort((a, b) => Number(a === peer.endpoint) - Number(b === peer.endpoint));
    const found = await wgRace(this.#system, { name, peer: peer.publicKey, endpoints: order }, signal);
    if (found !== undefined) await this.#backend.write(name, this.#backend.withEndpoint(text, found));
    else if (order.length > 0) await wgReadd(this.#system, name, peer.endpoint, signal);
    return found;
  }

  localNetworks(slug: string): Promise<LocalNetwork[]> {
    return localNetworks(this.#system, tunnelInterfaceName(slug));
  }

  async #candidates(config: TunnelConfig): Promise<readonly [string, ...string[]]> {
    const [first, ...others] = await endpointCandidates(config.endpoints, this.#resolve);
    if (first !== undefined) return [first, ...others];
    throw new KiwiError('tunnel-no-handshake', { detail: `no address for ${config.endpoints.join(', ')}` });
  }

  /** Waits for a handshake with each candidate in turn and keeps the first that answers, in the profile as well. */
  async #handshake(rise: Rise, candidates: readonly string[]): Promise<void> {
    const { name, config, backend, render, since, signal } = rise;
    const shared = Math.max(0, HANDSHAKE_MS - FIRST_CHANCE_MS * candidates.length) / candidates.length;
    for (const chance of candidates.length === 1 ? [HANDSHAKE_MS] : [FIRST_CHANCE_MS, shared]) {
      for (const endpoint of candidates) {
        const alone = candidates.length === 1;
        if (!(alone || (chance === FIRST_CHANCE_MS && endpoint === candidates[0]))) {
          await wgSetconf(this.#system, name, renderWgSetconf(config, endpoint), signal);
        }
        const wanted = { name, peer: config.serverPublicKey, since, ms: chance };
        if (!(await wgHandshake(this.#system, wanted, signal))) continue;
        await backend.write(name, render(endpoint));
        return;
      }
    }
    throw new KiwiError('tunnel-no-handshake', { detail: `tried ${candidates.join(', ')}` });
  }

  /** Stops it, and removes the interface even if the backend did not create it. */
  async #stop(name: string): Promise<void> {
    await this.#backend.stop(name);
    if (await this.#interfaceExists(name)) {
      await runTool(this.#system, { name: 'ip', args: ['link', 'delete', 'dev', name] });
    }
  }

  async #mtu(name: string): Promise<number | undefined> {
    const { code, stdout } = await runTool(this.#system, { name: 'ip', args: ['-o', 'link', 'show', 'dev', name] });
    const found = code === 0 ? / mtu (\d+) /u.exec(stdout.toString())?.[1] : undefined;
    return found === undefined ? undefined : Number(found);
  }

  async #interfaceExists(name: string): Promise<boolean> {
    return (await runTool(this.#system, { name: 'ip', args: ['link', 'show', 'dev', name] })).code === 0;
  }
}
