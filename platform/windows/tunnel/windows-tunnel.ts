import { KiwiError } from '../../../src/core/errors.ts';
import type { Found } from '../../../src/laptop/system/found.ts';
import type { LocalNetwork, Tunnel, TunnelConfig, TunnelStatus } from '../../../src/laptop/system/tunnel.ts';
import { mtuIn, peerIn, withEndpoint, withMtu } from '../../../src/laptop/tunnel/edit-wg-quick.ts';
import {
  endpointCandidates,
  reachableCandidates,
  splitEndpoint,
  type ResolveHost,
} from '../../../src/laptop/tunnel/endpoint-candidates.ts';
import { FOLLOW_MS, HANDSHAKE_MS, HEALTHY_HANDSHAKE_MS, TURNS_MS } from '../../../src/laptop/tunnel/handshakes.ts';
import { tunnelInterfaceName } from '../../../src/laptop/tunnel/interface-name.ts';
import { peerOfProfile } from '../../../src/laptop/tunnel/read-wg-dump.ts';
import { renderWgQuick } from '../../../src/laptop/tunnel/render-wg-quick.ts';
import { adapters, routes } from '../adapters.ts';
import { callHelper } from '../helper.ts';
import { resolveName } from '../resolve-name.ts';
import { serviceOf, startAtBoot, startsAtBoot } from '../services.ts';
import { runToolChecked, type WindowsSystem } from '../system.ts';
import { networksOf } from './local-networks.ts';
import { nameRules, removeNameRule, setNameRule } from './nrpt.ts';
import {
  isForeign,
  profilePath,
  readProfile,
  removeTunnel,
  restartTunnel,
  serviceName,
  startTunnel,
  tunnels,
  writeProfile,
} from './profile.ts';
import { wgDump, wgHandshake, wgNudge, wgRace, wgReadd } from './wg.ts';

/**
 * WireGuard for Windows: a service for each tunnel, made by `wireguard.exe`, and one rule for names. The profile has no `DNS`: Windows would ask
 * the tunnel's servers for every name. Nor a network of prefix length 0, which WireGuard for Windows takes for "block everything else".
 */
export class WindowsTunnel implements Tunnel {
  readonly #system: WindowsSystem;
  readonly #resolve: ResolveHost;

  constructor(system: WindowsSystem, resolve: ResolveHost = (host) => resolveName(system, host)) {
    this.#system = system;
    this.#resolve = resolve;
  }

  async up(config: TunnelConfig, signal?: AbortSignal): Promise<void> {
    const system = this.#system;
    const name = tunnelInterfaceName(config.slug);
    if (await isForeign(system, name)) throw new KiwiError('tunnel-name-taken', { detail: serviceName(name) });
    const candidates = await this.#candidates(config);
    const current = await readProfile(system, name);
    // An MTU that was lowered for this path stays.
    const mtu = current === undefined ? undefined : mtuIn(current);
    const render = (endpoint: string): string => renderWgQuick(config, { endpoint, mtu, resolvectl: undefined });
    const kept = candidates.find((endpoint) => render(endpoint) === current);
    const started = (await wgDump(system, name)) !== undefined;
    // Before anything starts, because the handshake may come before the service says so; wg reports it in whole seconds.
    const since = Math.floor(system.clock.now() / 1000) * 1000;
    if (kept !== undefined && started) {
      await this.#keep(name, config);
      const alive = system.clock.now() - HEALTHY_HANDSHAKE_MS;
      if (await wgHandshake(system, { name, peer: config.serverPublicKey, since: alive, ms: 0 }, signal)) return;
      await wgReadd(system, name, kept, signal);
      await this.#handshake({ name, config, render, since, signal }, [
        kept,
        ...candidates.filter((one) => one !== kept),
      ]);
      return;
    }
    await writeProfile(system, name, render(candidates[0]));
    await (started ? restartTunnel : startTunnel)(system, name, signal);
    await this.#keep(name, config);
    await this.#handshake({ name, config, render, since, signal }, candidates);
  }

  async start(slug: string, signal?: AbortSignal): Promise<void> {
    await startTunnel(this.#system, await this.#ours(slug), signal);
    await this.enable(slug);
  }

  async down(slug: string | undefined): Promise<void> {
    const ours = (await tunnels(this.#system)).filter((one) => one.ours).map(({ name }) => name);
    const rules = (await nameRules(this.#system)).map(({ tunnel }) => tunnel);
    for (const name of new Set([...ours, ...rules, ...(slug === undefined ? [] : [tunnelInterfaceName(slug)])])) {
      // First the names: a rule whose servers are not reached any more would be worse than none.
      await removeNameRule(this.#system, name);
      await removeTunnel(this.#system, name);
    }
  }

  async restart(slug: string, signal?: AbortSignal): Promise<void> {
    await restartTunnel(this.#system, await this.#ours(slug), signal);
  }

  async enable(slug: string): Promise<void> {
    await startAtBoot(this.#system, serviceName(await this.#ours(slug)));
  }

  async found(): Promise<readonly Found[]> {
    const rules = await nameRules(this.#system);
    return [
      ...(await tunnels(this.#system)).map(({ what, ours }) => ({ what, ours })),
      ...rules.map(({ tunnel }) => ({ what: `the rule for names of ${tunnel}`, ours: true })),
    ];
  }

  async status(slug: string): Promise<TunnelStatus> {
    const name = tunnelInterfaceName(slug);
    const [dump, text, service, rules, cards] = [
      await wgDump(this.#system, name),
      await readProfile(this.#system, name),
      await serviceOf(this.#system, serviceName(name)),
      await nameRules(this.#system),
      await adapters(this.#system),
    ];
    const peer = peerOfProfile(dump, text, peerIn);
    const unit = serviceName(name);
    return {
      interface: name,
      up: dump !== undefined,
      profile:
        text === undefined
          ? undefined
          : {
              ...{ keptBy: 'WireGuard for Windows', file: profilePath(this.#system, name), unit },
              ...{ start: `sc.exe start ${unit}`, enable: `sc.exe config ${unit} start= auto` },
            },
      startsAtBoot: startsAtBoot(service) && text !== undefined,
      mtu: cards.find((card) => card.name === name)?.mtu,
      endpoint: peer?.endpoint,
      lastHandshake: peer?.lastHandshake,
      rxBytes: peer?.rxBytes ?? 0,
      txBytes: peer?.txBytes ?? 0,
      splitDns: dump !== undefined && rules.some(({ tunnel }) => tunnel === name),
    };
  }

  async probe(address: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const deadline = this.#system.clock.monotonic() + timeoutMs;
    do {
      if (await this.#ping(address, Math.min(1000, timeoutMs), 0, signal)) return true;
    } while (this.#system.clock.monotonic() < deadline);
    return false;
  }

  async carries(address: string, bytes: number, signal?: AbortSignal): Promise<boolean> {
    // One lost packet is not taken for an answer.
    for (const patience of [300, 300, 1400]) if (await this.#ping(address, patience, bytes, signal)) return true;
    return false;
  }

  async setMtu(slug: string, mtu: number, trial?: 'trial'): Promise<void> {
    const name = tunnelInterfaceName(slug);
    // For the running adapter only: what it begins with stands in the profile.
    const args = ['interface', 'ipv4', 'set', 'subinterface', name, `mtu=${mtu}`, 'store=active'];
    await runToolChecked(this.#system, { name: 'netsh', args }, 'tunnel-tools-failed');
    const text = trial === undefined ? await readProfile(this.#system, name) : undefined;
    if (text !== undefined) await writeProfile(this.#system, name, withMtu(text, mtu));
  }

  resolve(endpoints: readonly string[]): Promise<readonly string[]> {
    return endpointCandidates(endpoints, this.#resolve);
  }

  async routable(endpoints: readonly string[]): Promise<readonly string[]> {
    const codes = await Promise.all(
      endpoints.map(
        async (endpoint) => (await callHelper(this.#system, ['route-to', splitEndpoint(endpoint).host])).code,
      ),
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
    const text = await readProfile(this.#system, name);
    const peer = peerOfProfile(await wgDump(this.#system, name), text, peerIn);
    if (text === undefined || peer === undefined) return undefined;
    const candidates = await this.routable(await this.resolve(endpoints));
    // The address in use is silent already: it comes last.
    const order = [...candidates].sort((a, b) => Number(a === peer.endpoint) - Number(b === peer.endpoint));
    const race = { name, peer: peer.publicKey, endpoints: order, ms: FOLLOW_MS };
    const found = order.length === 0 ? undefined : await wgRace(this.#system, race, signal);
    if (found !== undefined) await writeProfile(this.#system, name, withEndpoint(text, found));
    else if (order.length > 0) await wgReadd(this.#system, name, peer.endpoint, signal);
    return found;
  }

  async localNetworks(slug: string): Promise<readonly LocalNetwork[]> {
    return networksOf(await adapters(this.#system), await routes(this.#system), tunnelInterfaceName(slug));
  }

  /** What stays of it: that it starts with Windows, and its rule for names. */
  async #keep(name: string, config: TunnelConfig): Promise<void> {
    await startAtBoot(this.#system, serviceName(name));
    await setNameRule(this.#system, name, config.dns);
  }

  #candidates({ endpoints }: TunnelConfig): Promise<readonly [string, ...string[]]> {
    return reachableCandidates(endpoints, this.#resolve, (all) => this.routable(all));
  }

  /** Waits for a handshake with the first candidate, lets all race, and keeps the winner in the profile. */
  async #handshake(
    rise: {
      readonly name: string;
      readonly config: TunnelConfig;
      readonly render: (endpoint: string) => string;
      readonly since: number;
      readonly signal: AbortSignal | undefined;
    },
    [first, ...others]: readonly [string, ...string[]],
  ): Promise<void> {
    const { name, config, render, since, signal } = rise;
    const peer = config.serverPublicKey;
    const begun = { name, peer, since, ms: others.length === 0 ? HANDSHAKE_MS : TURNS_MS[1] };
    let found = (await wgHandshake(this.#system, begun, signal)) ? first : undefined;
    if (others.length > 0) {
      found ??= await wgRace(this.#system, { name, peer, endpoints: [...others, first], ms: HANDSHAKE_MS }, signal);
    }
    if (found === undefined) {
      throw new KiwiError('tunnel-no-handshake', { detail: `tried ${[first, ...others].join(', ')}` });
    }
    await writeProfile(this.#system, name, render(found));
  }

  /** @throws KiwiError `tunnel-tools-failed` when there is no profile of ours */
  async #ours(slug: string): Promise<string> {
    const name = tunnelInterfaceName(slug);
    if ((await readProfile(this.#system, name)) !== undefined) return name;
    throw new KiwiError('tunnel-tools-failed', { detail: `${name} has no profile of ours` });
  }

  async #ping(address: string, ms: number, bytes: number, signal?: AbortSignal): Promise<boolean> {
    const args = ['ping', address, String(Math.round(ms)), String(bytes)] as const;
    return (await callHelper(this.#system, args, { signal })).code === 0;
  }
}
