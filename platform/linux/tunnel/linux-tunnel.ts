import { KiwiError } from '../../../src/core/errors.ts';
import type { Found } from '../../../src/laptop/system/found.ts';
import type {
  LocalNetwork,
  Tunnel,
  TunnelConfig,
  TunnelProfile,
  TunnelStatus,
} from '../../../src/laptop/system/tunnel.ts';
import {
  endpointCandidates,
  reachableCandidates,
  splitEndpoint,
  type ResolveHost,
} from '../../../src/laptop/tunnel/endpoint-candidates.ts';
import { FOLLOW_MS, HANDSHAKE_MS, HEALTHY_HANDSHAKE_MS, TURNS_MS } from '../../../src/laptop/tunnel/handshakes.ts';
import { tunnelInterfaceName } from '../../../src/laptop/tunnel/interface-name.ts';
import { peerOfProfile } from '../../../src/laptop/tunnel/read-wg-dump.ts';
import { renderWgSetconf } from '../../../src/laptop/tunnel/render-wg-quick.ts';
import { runTool, runToolChecked, type LinuxSystem } from '../system.ts';
import type { Backend } from './backend.ts';
import { networkManagerCan } from './choose-backend.ts';
import { findTunnels } from './find-tunnels.ts';
import { localNetworks } from './local-networks.ts';
import { NetworkManager } from './network-manager.ts';
import { answersPing, carriesPing } from './ping.ts';
import { foreignProfiles } from './profile-files.ts';
import { resolveHost } from '../../unix/resolve-host.ts';
import { wgDump, wgHandshake, wgNudge, wgRace, wgReadd, wgSetconf } from '../../unix/wg.ts';
import { WgQuick } from './wg-quick.ts';

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

/** For so long an interface is removed again that comes back. */
const REMOVALS = 20;
const REMOVAL_MS = 250;

/** WireGuard, kept by a program of the system; this is what is the same with each. */
export class LinuxTunnel implements Tunnel {
  readonly #system: LinuxSystem;
  readonly #resolve: ResolveHost;
  readonly #networkManager: Backend;
  readonly #wgQuick: Backend;

  constructor(system: LinuxSystem, resolve: ResolveHost = resolveHost) {
    this.#system = system;
    this.#resolve = resolve;
    this.#networkManager = new NetworkManager(system);
    this.#wgQuick = new WgQuick(system);
  }

  async up(config: TunnelConfig, signal?: AbortSignal): Promise<void> {
    const name = tunnelInterfaceName(config.slug);
    const candidates = await this.#candidates(config);
    const kept = await this.#keeper(name);
    await this.#refuseForeign(name, kept);
    const can = await networkManagerCan(this.#system);
    // What keeps it already goes on; a profile for a NetworkManager that has been switched off since does not.
    const backend = kept === this.#wgQuick || !can ? this.#wgQuick : this.#networkManager;
    if (kept !== undefined && kept !== backend) await this.#discard(name, kept);
    try {
      await this.#rise({ name, config, backend, signal }, candidates);
    } catch (error) {
      const refused = error instanceof KiwiError && error.code === 'tunnel-tools-failed';
      if (backend !== this.#networkManager || !refused) throw error;
      // It does not manage such interfaces here, or has no plugin for them; wg-quick says what else may be wrong.
      await this.#discard(name, backend);
      await this.#rise({ name, config, backend: this.#wgQuick, signal }, candidates);
    }
  }

  async #rise(wanted: Omit<Rise, 'render' | 'since'>, candidates: readonly [string, ...string[]]): Promise<void> {
    const { name, config, backend, signal } = wanted;
    const current = await backend.read(name);
    // An MTU that was lowered for this path stays.
    const mtu = current === undefined ? undefined : backend.mtuIn(current);
    const renderProfile = await backend.renderer();
    const render = (endpoint: string): string => renderProfile(config, { endpoint, mtu });
    const kept = candidates.find((endpoint) => render(endpoint) === current);
    const started = (await wgDump(this.#system, name)) !== undefined;
    // Before anything starts, because the handshake may come before the backend says so; wg reports it in whole seconds.
    const since = Math.floor(this.#system.clock.now() / 1000) * 1000;
    const rise: Rise = { ...wanted, render, since };
    if (kept !== undefined && started) {
      await backend.enable(name, signal);
      const alive = this.#system.clock.now() - HEALTHY_HANDSHAKE_MS;
      if (await wgHandshake(this.#system, { name, peer: config.serverPublicKey, since: alive, ms: 0 }, signal)) return;
      await wgSetconf(this.#system, name, renderWgSetconf(config, kept), signal);
      return this.#handshake(rise, [kept, ...candidates.filter((endpoint) => endpoint !== kept)]);
    }
    await backend.write(name, render(candidates[0]));
    if (started) await this.#stop(name, backend);
    await backend.enable(name, signal);
    await backend.start(name, signal);
    await this.#handshake(rise, candidates);
  }

  async found(): Promise<readonly Found[]> {
    return findTunnels(this.#system);
  }

  async start(slug: string, signal?: AbortSignal): Promise<void> {
    const name = tunnelInterfaceName(slug);
    const backend = await this.#kept(name);
    await backend.enable(name, signal);
    await backend.start(name, signal);
  }

  async down(slug: string | undefined): Promise<void> {
    const names = (await findTunnels(this.#system)).filter(({ ours }) => ours).map(({ name }) => name);
    if (slug !== undefined) names.push(tunnelInterfaceName(slug));
    for (const name of new Set(names)) {
      for (const backend of [this.#networkManager, this.#wgQuick]) await this.#discard(name, backend);
      await this.#untilGone(name);
    }
  }

  async restart(slug: string, signal?: AbortSignal): Promise<void> {
    const name = tunnelInterfaceName(slug);
    const backend = await this.#kept(name);
    await this.#stop(name, backend);
    await backend.start(name, signal);
  }

  async enable(slug: string, signal?: AbortSignal): Promise<void> {
    const name = tunnelInterfaceName(slug);
    await (await this.#kept(name)).enable(name, signal);
  }

  async status(slug: string): Promise<TunnelStatus> {
    const name = tunnelInterfaceName(slug);
    const dump = await wgDump(this.#system, name);
    const backend = await this.#keeper(name);
    const text = await backend?.read(name);
    const peer = peerOfProfile(dump, text, (profile) => backend?.peerIn(profile));
    return {
      interface: name,
      up: dump !== undefined,
      profile: backend === undefined ? undefined : profileOf(backend, name),
      startsAtBoot: (await backend?.startsAtBoot(name)) === true,
      mtu: await this.#mtu(name),
      endpoint: peer?.endpoint,
      lastHandshake: peer?.lastHandshake,
      rxBytes: peer?.rxBytes ?? 0,
      txBytes: peer?.txBytes ?? 0,
      splitDns: dump !== undefined && text !== undefined && backend?.splitsDns(text) === true,
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
    const backend = trial === undefined ? await this.#keeper(name) : undefined;
    const text = await backend?.read(name);
    if (text !== undefined) await backend?.write(name, backend.withMtu(text, mtu));
  }

  resolve(endpoints: readonly string[]): Promise<readonly string[]> {
    return endpointCandidates(endpoints, this.#resolve);
  }

  async routable(endpoints: readonly string[]): Promise<readonly string[]> {
    const codes = await Promise.all(
      endpoints.map((endpoint) => {
        const args = ['route', 'get', splitEndpoint(endpoint).host];
        return runTool(this.#system, { name: 'ip', args, timeoutMs: 20_000 }).then(({ code }) => code);
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
    const backend = await this.#keeper(name);
    const text = await backend?.read(name);
    const peer = peerOfProfile(await wgDump(this.#system, name), text, (profile) => backend?.peerIn(profile));
    if (text === undefined || peer === undefined) return undefined;
    const candidates = await this.routable(await this.resolve(endpoints));
    // The address in use is silent already: it comes last.
    const order = [...candidates].sort((a, b) => Number(a === peer.endpoint) - Number(b === peer.endpoint));
    const race = { name, peer: peer.publicKey, endpoints: order, ms: FOLLOW_MS };
    const found = await wgRace(this.#system, race, signal);
    if (found !== undefined) await backend?.write(name, backend.withEndpoint(text, found));
    else if (order.length > 0) await wgReadd(this.#system, name, peer.endpoint, signal);
    return found;
  }

  /** Where the profile is, or where it would be. */
  async profileFile(slug: string): Promise<string> {
    const name = tunnelInterfaceName(slug);
    const backend = await this.#keeper(name);
    if (backend !== undefined) return backend.file(name);
    return ((await networkManagerCan(this.#system)) ? this.#networkManager : this.#wgQuick).file(name);
  }

  localNetworks(slug: string): Promise<LocalNetwork[]> {
    return localNetworks(this.#system, tunnelInterfaceName(slug));
  }

  /** Without those to which there is no route: where there is no IPv6, an AAAA record costs nothing. */
  #candidates({ endpoints }: TunnelConfig): Promise<readonly [string, ...string[]]> {
    return reachableCandidates(endpoints, this.#resolve, (all) => this.routable(all));
  }

  /** Waits for a handshake with the first candidate, which the interface has, lets all race, and keeps the winner in the profile. */
  async #handshake(rise: Rise, candidates: readonly [string, ...string[]]): Promise<void> {
    const { name, config, backend, render, since, signal } = rise;
    const peer = config.serverPublicKey;
    const [first, ...others] = candidates;
    const begun = { name, peer, since, ms: others.length === 0 ? HANDSHAKE_MS : TURNS_MS[0] };
    let found = (await wgHandshake(this.#system, begun, signal)) ? first : undefined;
    if (others.length > 0) {
      const race = { name, peer, endpoints: [...others, first], ms: HANDSHAKE_MS };
      found ??= await wgRace(this.#system, race, signal);
    }
    if (found === undefined) throw new KiwiError('tunnel-no-handshake', { detail: `tried ${candidates.join(', ')}` });
    await backend.write(name, render(found));
  }

  /** Whose profile of ours is there. Where there are two, after a run that was interrupted, NetworkManager's. */
  async #keeper(name: string): Promise<Backend | undefined> {
    for (const backend of [this.#networkManager, this.#wgQuick]) {
      if ((await backend.read(name)) !== undefined) return backend;
    }
    return undefined;
  }

  /** @throws KiwiError `tunnel-tools-failed` when nothing of ours keeps it */
  async #kept(name: string): Promise<Backend> {
    const backend = await this.#keeper(name);
    if (backend !== undefined) return backend;
    throw new KiwiError('tunnel-tools-failed', { detail: `${name} has no profile of ours` });
  }

  /** @throws KiwiError `tunnel-name-taken` when another program has a profile or an interface of this name */
  async #refuseForeign(name: string, kept: Backend | undefined): Promise<void> {
    const foreign = await foreignProfiles(this.#system, name);
    if (foreign.length === 0 && kept === undefined && (await this.#interfaceExists(name))) {
      const found = (await findTunnels(this.#system)).filter((one) => one.name === name && !one.ours);
      foreign.push(...found.map(({ what }) => what));
    }
    if (foreign.length > 0) throw new KiwiError('tunnel-name-taken', { detail: foreign.join(', ') });
  }

  async #discard(name: string, backend: Backend): Promise<void> {
    await this.#stop(name, backend);
    await backend.remove(name);
  }

  /** Stops it, and removes the interface even if the backend did not create it; not that of another program. */
  async #stop(name: string, backend: Backend): Promise<void> {
    await backend.stop(name);
    if (await this.#isGone(name)) return;
    await runTool(this.#system, { name: 'ip', args: ['link', 'delete', 'dev', name] });
  }

  /** A program that was cancelled while it started may make the interface a moment after it was removed. */
  async #untilGone(name: string): Promise<void> {
    for (let tries = 0; !(await this.#isGone(name)); tries++) {
      if (tries === REMOVALS) {
        throw new KiwiError('tunnel-tools-failed', { detail: `the interface ${name} cannot be removed` });
      }
      await this.#system.clock.sleep(REMOVAL_MS);
      await runTool(this.#system, { name: 'ip', args: ['link', 'delete', 'dev', name] });
    }
  }

  /** There is no interface of this name, or it is that of another program. */
  async #isGone(name: string): Promise<boolean> {
    return !(await this.#interfaceExists(name)) || (await foreignProfiles(this.#system, name)).length > 0;
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

function profileOf(backend: Backend, name: string): TunnelProfile {
  return { keptBy: backend.title, file: backend.file(name), unit: backend.unit(name), ...backend.commands(name) };
}
