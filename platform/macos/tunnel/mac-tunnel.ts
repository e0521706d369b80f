import { KiwiError } from '../../../src/core/errors.ts';
import type { Found } from '../../../src/laptop/system/found.ts';
import type {
  LocalNetwork,
  Tunnel,
  TunnelConfig,
  TunnelProfile,
  TunnelStatus,
} from '../../../src/laptop/system/tunnel.ts';
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
import { resolveHost } from '../../unix/resolve-host.ts';
import { wgDump, wgHandshake, wgNudge, wgRace, wgReadd } from '../../unix/wg.ts';
import { tunnelLabels } from '../jobs.ts';
import { disabledJobs, isOurJob, readDaemonFile } from '../launchd.ts';
import { readTool, runTool, runToolChecked, type MacSystem } from '../system.ts';
import { currentInterface, isKeptByApp, removeAppProfile, seemsKeptByApp } from './app-profile.ts';
import { configureTunnel } from './configure.ts';
import { enableTunnel, findTunnels, foreignDaemon, removeTunnel, restartTunnel, startTunnel } from './keep-tunnel.ts';
import { readNetworks } from './local-networks.ts';
import { interfaceOf, profilePath, readProfile, writeProfile } from './profile.ts';
import { resolverFiles, setResolverFiles } from './resolver-files.ts';

const PING_GRACE_MS = 5_000;

interface Rise {
  readonly tunnel: string;
  /** As macOS numbers it: `utun5`. */
  readonly name: string;
  readonly config: TunnelConfig;
  readonly render: (endpoint: string) => string;
  readonly since: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * WireGuard by wireguard-go, as a daemon of ours. Not by WireGuard.app, for which `wireguard-app.ts` is: its profile has to be approved by a person, with
 * the private key in a file that they can read; it comes from the App Store, for which they need an account; and it is up only after
 * somebody has logged in, so that Fleet could not reach a Mac that waits at its login window.
 */
export class MacTunnel implements Tunnel {
  readonly #system: MacSystem;
  readonly #resolve: ResolveHost;

  constructor(system: MacSystem, resolve: ResolveHost = resolveHost) {
    this.#system = system;
    this.#resolve = resolve;
  }

  async up(config: TunnelConfig, signal?: AbortSignal): Promise<void> {
    const system = this.#system;
    const tunnel = tunnelInterfaceName(config.slug);
    await this.#refuseForeign(tunnel, config);
    const candidates = await this.#candidates(config);
    // One that the app keeps may have another key. There is one tunnel, so our daemon keeps it until a person has approved the next profile.
    await removeAppProfile(system, tunnel);
    const current = await readProfile(system, tunnel);
    // An MTU that was lowered for this path stays.
    const mtu = current === undefined ? undefined : mtuIn(current);
    const render = (endpoint: string): string => renderWgQuick(config, { endpoint, mtu, resolvectl: undefined });
    const kept = candidates.find((endpoint) => render(endpoint) === current);
    const running = await this.#running(tunnel);
    // Before anything starts; wg reports it in whole seconds.
    const since = Math.floor(system.clock.now() / 1000) * 1000;
    await setResolverFiles(system, tunnel, config.dns);
    if (kept !== undefined && running !== undefined) {
      await enableTunnel(system, tunnel);
      const alive = system.clock.now() - HEALTHY_HANDSHAKE_MS;
      const peer = config.serverPublicKey;
      if (await wgHandshake(system, { name: running, peer, since: alive, ms: 0 }, signal)) return;
      await configureTunnel(system, tunnel, signal);
      await wgReadd(system, running, kept, signal);
      const others = candidates.filter((one) => one !== kept);
      await this.#handshake({ tunnel, name: running, config, render, since, signal }, [kept, ...others]);
      return;
    }
    await writeProfile(system, tunnel, render(candidates[0]));
    const name = await (running === undefined ? startTunnel : restartTunnel)(system, tunnel, signal);
    await this.#handshake({ tunnel, name, config, render, since, signal }, candidates);
  }

  async start(slug: string, signal?: AbortSignal): Promise<void> {
    await startTunnel(this.#system, await this.#keptByUs(slug), signal);
  }

  async down(slug: string | undefined): Promise<void> {
    const ours = (await findTunnels(this.#system)).filter((one) => one.ours).map(({ name }) => name);
    const named = slug === undefined ? [] : [tunnelInterfaceName(slug)];
    for (const tunnel of new Set([...ours, ...named])) await removeTunnel(this.#system, tunnel);
  }

  async restart(slug: string, signal?: AbortSignal): Promise<void> {
    await restartTunnel(this.#system, await this.#keptByUs(slug), signal);
  }

  async enable(slug: string): Promise<void> {
    await enableTunnel(this.#system, await this.#keptByUs(slug));
  }

  async found(): Promise<readonly Found[]> {
    return (await findTunnels(this.#system)).map(({ what, ours }) => ({ what, ours }));
  }

  async status(slug: string): Promise<TunnelStatus> {
    const system = this.#system;
    const tunnel = tunnelInterfaceName(slug);
    const keptByApp = await seemsKeptByApp(system, tunnel);
    const name = await (keptByApp ? currentInterface(system, tunnel) : this.#running(tunnel));
    const [dump, text, mtu, names] = await Promise.all([
      name === undefined || keptByApp ? undefined : wgDump(system, name),
      readProfile(system, tunnel),
      name === undefined ? undefined : this.#mtu(name),
      resolverFiles(system),
    ]);
    const peer = peerOfProfile(dump, text, peerIn);
    const up = keptByApp ? name !== undefined : dump !== undefined;
    return {
      interface: tunnel,
      up,
      profile: text === undefined ? undefined : keepingOf(tunnel, keptByApp),
      startsAtBoot: keptByApp || (text !== undefined && (await this.#startsAtBoot(tunnel))),
      ...(keptByApp ? { keptByApp } : {}),
      mtu,
      endpoint: peer?.endpoint,
      lastHandshake: peer?.lastHandshake,
      rxBytes: peer?.rxBytes ?? 0,
      txBytes: peer?.txBytes ?? 0,
      splitDns: up && names.some((one) => one.tunnel === tunnel),
    };
  }

  async probe(address: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const deadline = this.#system.clock.monotonic() + timeoutMs;
    do {
      // ping(8) of macOS takes milliseconds for one reply.
      const wait = String(Math.max(1, Math.min(1000, Math.round(timeoutMs))));
      const args = ['-n', '-q', '-c', '1', '-W', wait, address];
      const { code } = await runTool(this.#system, {
        ...{ name: 'ping', args, timeoutMs: timeoutMs + PING_GRACE_MS, signal },
      });
      if (code === 0) return true;
    } while (this.#system.clock.monotonic() < deadline);
    return false;
  }

  async carries(address: string, bytes: number, signal?: AbortSignal): Promise<boolean> {
    // 28 bytes of headers; `-D`: nobody may fragment it; `-o`: until one reply has come, for two seconds at most.
    const args = ['-n', '-q', '-o', '-D', '-c', '6', '-i', '0.3', '-t', '2', '-s', String(bytes - 28), address];
    const command = { name: 'ping', args, timeoutMs: 2_000 + PING_GRACE_MS, signal };
    return (await runTool(this.#system, command)).code === 0;
  }

  async setMtu(slug: string, mtu: number, trial?: 'trial'): Promise<void> {
    const tunnel = tunnelInterfaceName(slug);
    const name = await currentInterface(this.#system, tunnel);
    if (name === undefined) throw new KiwiError('tunnel-tools-failed', { detail: `${tunnel} does not run` });
    await runToolChecked(this.#system, { name: 'ifconfig', args: [name, 'mtu', String(mtu)] }, 'tunnel-tools-failed');
    const text = trial === undefined ? await readProfile(this.#system, tunnel) : undefined;
    if (text !== undefined) await writeProfile(this.#system, tunnel, withMtu(text, mtu));
  }

  resolve(endpoints: readonly string[]): Promise<readonly string[]> {
    return endpointCandidates(endpoints, this.#resolve);
  }

  async routable(endpoints: readonly string[]): Promise<readonly string[]> {
    const ways = await Promise.all(
      endpoints.map((endpoint) => interfaceTo(this.#system, splitEndpoint(endpoint).host)),
    );
    return endpoints.filter((_, index) => ways[index] !== undefined);
  }

  async nudge(slug: string): Promise<void> {
    const name = await this.#running(tunnelInterfaceName(slug));
    if (name !== undefined) await wgNudge(this.#system, name);
  }

  async readdPeer(slug: string): Promise<void> {
    const tunnel = tunnelInterfaceName(slug);
    const name = await this.#running(tunnel);
    // The app begins its handshakes by itself.
    if (name === undefined && (await seemsKeptByApp(this.#system, tunnel))) return;
    if (name === undefined) throw new KiwiError('tunnel-tools-failed', { detail: `${tunnel} does not run` });
    await wgReadd(this.#system, name);
  }

  async follow(slug: string, endpoints: readonly string[], signal?: AbortSignal): Promise<string | undefined> {
    const tunnel = tunnelInterfaceName(slug);
    const [name, text] = [await this.#running(tunnel), await readProfile(this.#system, tunnel)];
    const peer = name === undefined ? undefined : peerOfProfile(await wgDump(this.#system, name), text, peerIn);
    if (name === undefined || text === undefined || peer === undefined) return undefined;
    const candidates = await this.routable(await this.resolve(endpoints));
    if (candidates.length === 0) return undefined;
    // The address in use is silent already: it comes last.
    const order = [...candidates].sort((a, b) => Number(a === peer.endpoint) - Number(b === peer.endpoint));
    const race = { name, peer: peer.publicKey, endpoints: order, ms: FOLLOW_MS };
    const found = await wgRace(this.#system, race, signal);
    if (found === undefined) await wgReadd(this.#system, name, peer.endpoint, signal);
    else await writeProfile(this.#system, tunnel, withEndpoint(text, found));
    return found;
  }

  async localNetworks(slug: string): Promise<readonly LocalNetwork[]> {
    const ask = async (name: string, args: readonly string[]): Promise<string> =>
      (await runToolChecked(this.#system, { name, args, timeoutMs: 20_000 }, 'program-failed')).stdout.toString();
    const [addresses, routes] = await Promise.all([
      ask('ifconfig', ['-a', 'inet']),
      ask('netstat', ['-n', '-r', '-f', 'inet']),
    ]);
    return readNetworks(addresses, routes, await currentInterface(this.#system, tunnelInterfaceName(slug)));
  }

  #running(tunnel: string): Promise<string | undefined> {
    return interfaceOf(this.#system, tunnel);
  }

  async #refuseForeign(tunnel: string, { dns }: TunnelConfig): Promise<void> {
    const daemon = await foreignDaemon(this.#system, tunnel);
    const files = (await resolverFiles(this.#system)).filter(
      (one) => one.tunnel !== tunnel && dns.servers.length > 0 && dns.domains.includes(one.domain),
    );
    const foreign = [
      ...(daemon === undefined ? [] : [daemon]),
      ...files.map(({ domain }) => `/etc/resolver/${domain}`),
    ];
    if (foreign.length > 0) throw new KiwiError('tunnel-name-taken', { detail: foreign.join(', ') });
  }

  #candidates({ endpoints }: TunnelConfig): Promise<readonly [string, ...string[]]> {
    return reachableCandidates(endpoints, this.#resolve, (all) => this.routable(all));
  }

  /** Waits for a handshake with the first candidate, which the interface has, lets all race, and keeps the winner in the profile. */
  async #handshake(rise: Rise, [first, ...others]: readonly [string, ...string[]]): Promise<void> {
    const { tunnel, name, config, render, since, signal } = rise;
    const peer = config.serverPublicKey;
    const begun = { name, peer, since, ms: others.length === 0 ? HANDSHAKE_MS : TURNS_MS[0] };
    let found = (await wgHandshake(this.#system, begun, signal)) ? first : undefined;
    if (others.length > 0) {
      found ??= await wgRace(this.#system, { name, peer, endpoints: [...others, first], ms: HANDSHAKE_MS }, signal);
    }
    if (found === undefined) {
      throw new KiwiError('tunnel-no-handshake', { detail: `tried ${[first, ...others].join(', ')}` });
    }
    await writeProfile(this.#system, tunnel, render(found));
  }

  /** @throws KiwiError `tunnel-tools-failed` when there is no profile of ours, and where the app keeps the tunnel: never two with one key */
  async #keptByUs(slug: string): Promise<string> {
    const tunnel = tunnelInterfaceName(slug);
    if (await isKeptByApp(this.#system, tunnel)) {
      throw new KiwiError('tunnel-tools-failed', {
        detail: 'the WireGuard app keeps it',
        hint: 'Switch it on in that app, or run `kiwistack-enroll tunnel --by daemon`.',
      });
    }
    if ((await readProfile(this.#system, tunnel)) !== undefined) return tunnel;
    throw new KiwiError('tunnel-tools-failed', { detail: `${tunnel} has no profile of ours` });
  }

  async #startsAtBoot(tunnel: string): Promise<boolean> {
    const disabled = await disabledJobs(this.#system);
    const labels = Object.values(tunnelLabels(tunnel));
    const texts = await Promise.all(labels.map((label) => readDaemonFile(this.#system, label)));
    return texts.every((text) => text !== undefined && isOurJob(text)) && !labels.some((label) => disabled.has(label));
  }

  async #mtu(name: string): Promise<number | undefined> {
    const said = (await readTool(this.#system, { name: 'ifconfig', args: [name] })) ?? '';
    const mtu = / mtu (\d{1,6})$/mu.exec(said)?.[1];
    return mtu === undefined ? undefined : Number(mtu);
  }
}

/** How the tunnel is kept while nothing runs, and what a person can do about it. */
function keepingOf(tunnel: string, keptByApp: boolean): TunnelProfile {
  const { device } = tunnelLabels(tunnel);
  const file = profilePath(tunnel);
  return keptByApp
    ? {
        ...{ keptBy: 'WireGuard.app', file, unit: undefined },
        ...{ start: 'open -a WireGuard', enable: 'kiwistack-enroll tunnel --by daemon' },
      }
    : {
        ...{ keptBy: 'launchd', file, unit: device, start: `sudo launchctl kickstart -k system/${device}` },
        enable: `sudo launchctl enable system/${device}`,
      };
}

/** The interface through which packets to an address leave: `route get` fails where there is none, or says so and succeeds. */
export async function interfaceTo(system: MacSystem, address: string): Promise<string | undefined> {
  const family = address.includes(':') ? ['-inet6'] : [];
  const said = (await readTool(system, { name: 'route', args: ['-n', 'get', ...family, address] })) ?? '';
  return /^\s*interface: (\S{1,32})$/mu.exec(said)?.[1];
}
