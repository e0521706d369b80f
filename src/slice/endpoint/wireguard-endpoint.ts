import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { isMissing, removeDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { bootId } from '../../programs/process-mark.ts';
import { runChecked, runProgram } from '../../programs/run-program.ts';
import { comparePeers } from './compare-peers.ts';
import type { Endpoint, Peer } from './endpoint.ts';
import { startForwarding, stopForwarding } from './forwarding.ts';
import { PeerChanges, type PeerChange } from './peer-changes.ts';
import { renderPeers } from './render-peers.ts';
import { Restrictions } from './restrictions.ts';
import { applyUserspacePeers, userspaceSocket } from './userspace-peers.ts';

export interface WireguardOptions {
  readonly interface: string;
  readonly port: number;
  /** 10.77.0.1 and the prefix length of its network. */
  readonly address: string;
  readonly prefixLength: number;
  /** The tunnel network, and what laptops may reach through the tunnel. */
  readonly network: string;
  readonly insideCidrs: readonly string[];
  readonly dnsServers: readonly string[];
  /** Host name or address of Fleet, which lost laptops still reach; absent while it is not configured. */
  readonly fleet?: { readonly host: string; readonly port: number };
  readonly privateKeyFile: string;
  /** 0700: peers are written to a file here for `wg`, because pre-shared keys must not appear in arguments. */
  readonly runDir: string;
  /** Records what has to be restored, for a run that follows a killed one. */
  readonly stateFile: string;
}

/** WireGuard over IPv6 adds 80 bytes to each packet in an Ethernet frame; wg-quick has the same default. */
const MTU = '1420';

/**
 * How long a burst is collected. Starting `wg` costs the gateway as much as the rest of an enrollment, a request to
 * wireguard-go's socket a tenth of that. During a burst, step-ca, which signs meanwhile, takes about as long as this.
 */
const REST_MS = 40;

/**
 * Real WireGuard: the kernel's or, where the kernel has none, wireguard-go. Replaces what a killed run left under its
 * name.
 */
export async function startWireguard(options: WireguardOptions): Promise<Endpoint> {
  const tools = findTools();
  await removeLeftover(options);
  if (await interfaceExists(tools.ip, options.interface)) {
    // Not ours according to our own record, perhaps another slice's: it is left alone.
    throw new KiwiError('slice-conflict', {
      detail: `wireguard: there is an interface ${options.interface} already, which this slice did not make`,
    });
  }
  try {
    await writeDurableFile(
      options.stateFile,
      JSON.stringify({ interface: options.interface, boot: await bootId() }),
      0o600,
    );
    await startForwarding(tools.nft, options);
    await addInterface(options, tools);
    await runChecked({
      program: tools.wg,
      args: ['set', options.interface, 'listen-port', `${options.port}`, 'private-key', options.privateKeyFile],
    });
    const link = ['link', 'set', 'dev', options.interface, 'mtu', MTU, 'up'];
    const address = ['address', 'add', `${options.address}/${options.prefixLength}`, 'dev', options.interface];
    for (const args of [address, link]) await runChecked({ program: tools.ip, args });
  } catch (error) {
    await removeLeftover(options).catch(() => undefined);
    const detail = error instanceof KiwiError ? (error.detail ?? error.code) : 'unknown';
    throw new KiwiError('slice-part-failed', { detail: `wireguard: ${detail}`, cause: error });
  }
  return endpointOf(options, tools);
}

/** Removes the interface and settings that a killed run left. Safe to repeat, and when there is nothing to remove. */
export async function removeLeftover(options: Pick<WireguardOptions, 'interface' | 'stateFile'>): Promise<void> {
  let state: { interface?: unknown; boot?: unknown };
  try {
    state = JSON.parse(await readFile(options.stateFile, 'utf8')) as typeof state;
  } catch (error) {
    if (isMissing(error)) return;
    if (!(error instanceof SyntaxError)) throw error;
    state = {};
  }
  // A reboot removed the interface and the packet filter, and reset forwarding to the machine's own configuration.
  if (state.boot !== (await bootId())) {
    await removeDurableFile(options.stateFile);
    return;
  }
  const { ip, nft } = findTools();
  if (state.interface === options.interface && (await interfaceExists(ip, options.interface))) {
    // wireguard-go exits when its interface is removed.
    await runChecked({ program: ip, args: ['link', 'delete', 'dev', options.interface] });
  }
  await stopForwarding(nft, options.interface);
  await removeDurableFile(options.stateFile);
}

async function interfaceExists(ip: string, name: string): Promise<boolean> {
  return (await runProgram({ program: ip, args: ['link', 'show', 'dev', name] })).code === 0;
}

interface Tools {
  readonly ip: string;
  readonly wg: string;
  readonly nft: string;
  readonly wireguardGo: string | undefined;
}

function findTools(): Tools {
  const find = (name: string): string | undefined =>
    ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/bin']
      .map((folder) => path.join(folder, name))
      .find((file) => existsSync(file));
  const need = (name: string, from: string): string => {
    const found = find(name);
    if (found === undefined) throw new KiwiError('tool-missing', { detail: `${name} (package ${from})` });
    return found;
  };
  return {
    ip: need('ip', 'iproute2'),
    wg: need('wg', 'wireguard-tools'),
    nft: need('nft', 'nftables'),
    wireguardGo: find('wireguard-go'),
  };
}

async function addInterface(options: WireguardOptions, tools: Tools): Promise<void> {
  const args = ['link', 'add', 'dev', options.interface, 'type', 'wireguard'];
  const kernel = await runProgram({ program: tools.ip, args });
  if (kernel.code === 0) return;
  if (tools.wireguardGo === undefined) {
    throw new KiwiError('tool-missing', { detail: 'the kernel has no WireGuard: install the package wireguard-go' });
  }
  // It moves to the background once the interface exists.
  await runChecked({ program: tools.wireguardGo, args: [options.interface], timeoutMs: 15_000 });
}

function endpointOf(options: WireguardOptions, tools: Tools): Endpoint {
  const unavailable = (error: unknown): KiwiError => {
    const detail = error instanceof KiwiError ? (error.detail ?? error.code) : 'cannot be changed';
    return new KiwiError('endpoint-unavailable', { detail: `wireguard: ${detail}`, cause: error });
  };
  const addPeers = async (text: string): Promise<void> => {
    // Node gives children sockets as stdin, which cannot be opened as /dev/stdin; hence a private file, deleted at
    // once.
    const file = path.join(options.runDir, `peers.${randomBytes(6).toString('hex')}.conf`);
    try {
      await writeFile(file, text, { mode: 0o600, flag: 'wx' });
      await runChecked({ program: tools.wg, args: ['addconf', options.interface, file], timeoutMs: 10_000 });
    } finally {
      await rm(file, { force: true });
    }
  };
  const apply = async (changes: readonly PeerChange[]): Promise<void> => {
    const socket = userspaceSocket(options.interface);
    if (socket !== undefined) {
      await applyUserspacePeers(socket, changes);
      return;
    }
    const set = changes.flatMap((change) => change.peer ?? []);
    const removed = changes.filter((change) => change.peer === undefined).map((change) => change.publicKey);
    try {
      if (removed.length > 0) {
        const args = removed.flatMap((key) => ['peer', key, 'remove']);
        await runChecked({ program: tools.wg, args: ['set', options.interface, ...args], timeoutMs: 10_000 });
      }
      if (set.length > 0) await addPeers(renderPeers(set));
    } catch (error) {
      throw unavailable(error);
    }
  };
  const restrictions = new Restrictions(options, tools.nft);
  const changes = new PeerChanges(async (batch) => {
    try {
      await restrictions.around(batch, () => apply(batch));
    } catch (error) {
      throw error instanceof KiwiError && error.code === 'endpoint-unavailable' ? error : unavailable(error);
    }
  }, REST_MS);
  let stopped = false;
  return {
    setPeer: (peer: Peer) => changes.add({ publicKey: peer.publicKey, peer }),
    removePeer: (publicKey) => changes.add({ publicKey }),
    async reconcile(peers) {
      try {
        const show = async (what: string): Promise<string> => {
          const { stdout } = await runChecked({ program: tools.wg, args: ['show', options.interface, what] });
          return stdout.toString('utf8');
        };
        const there = { presharedKeys: await show('preshared-keys'), allowedIps: await show('allowed-ips') };
        await restrictions.refresh();
        const all = [...restrictions.differing(peers), ...comparePeers(peers, there)];
        await Promise.all(all.map((change) => changes.add(change)));
      } catch (error) {
        throw error instanceof KiwiError && error.code === 'endpoint-unavailable' ? error : unavailable(error);
      }
    },
    async healthy() {
      try {
        const args = ['show', options.interface, 'listen-port'];
        return (await runProgram({ program: tools.wg, args, timeoutMs: 2000 })).code === 0;
      } catch {
        return false;
      }
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      await removeLeftover(options);
    },
  };
}
