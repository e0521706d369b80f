import { isIPv4, isIPv6 } from 'node:net';

import { MARKER } from '../system/found.ts';
import type { TunnelConfig } from '../system/tunnel.ts';

/** 1500 less 80 for the outer IPv6, UDP and WireGuard headers. */
export const TUNNEL_MTU = 1420;

export interface WgQuickOptions {
  /** The literal address and port of the peer. */
  readonly endpoint: string;
  /** Absolute path of resolvectl when systemd-resolved runs, else undefined: split DNS is then left out. */
  readonly resolvectl: string | undefined;
  /** Undefined: `TUNNEL_MTU`. */
  readonly mtu?: number | undefined;
}

/**
 * The text of /etc/wireguard/NAME.conf for wg-quick(8). It holds secrets.
 *
 * - Lists are on one line, separated by ", ": several parsers keep only the first or last of repeated lines.
 * - No `DNS =`: wg-quick would use the tunnel's server for every name, and a dead tunnel would break public DNS too.
 * - wg-quick passes PostUp to a shell, so nothing but addresses and domains may get there.
 *
 * @throws TypeError on a default route or a malformed value: the grant's schema refuses both earlier
 */
export function renderWgQuick(config: TunnelConfig, options: WgQuickOptions): string {
  return [
    `${MARKER}. Changes are lost; \`kiwistack-enroll uninstall\` removes it.`,
    '[Interface]',
    `PrivateKey = ${config.privateKey.bytes.toString('base64')}`,
    `Address = ${address(config.address)}/32`,
    `MTU = ${options.mtu ?? TUNNEL_MTU}`,
    ...splitDnsLines(config.dns, options.resolvectl),
    '',
    ...peerLines(config, options.endpoint),
    '',
  ].join('\n');
}

/** The part of it that wg(8) understands, for `wg setconf`. It holds secrets. */
export function renderWgSetconf(config: TunnelConfig, endpoint: string): string {
  return [
    '[Interface]',
    `PrivateKey = ${config.privateKey.bytes.toString('base64')}`,
    '',
    ...peerLines(config, endpoint),
    '',
  ].join('\n');
}

function peerLines(config: TunnelConfig, endpoint: string): string[] {
  return [
    '[Peer]',
    `PublicKey = ${key(config.serverPublicKey)}`,
    `PresharedKey = ${key(config.presharedKey)}`,
    `Endpoint = ${literalEndpoint(endpoint)}`,
    `AllowedIPs = ${config.allowedCidrs.map(route).join(', ')}`,
    `PersistentKeepalive = ${config.keepaliveSeconds}`,
  ];
}

/**
 * `|| true`: a laptop whose resolver is not up yet gets a tunnel without split DNS rather than no tunnel. `default-route
 * false` keeps all other names out of the tunnel.
 */
function splitDnsLines(dns: TunnelConfig['dns'], resolvectl: string | undefined): string[] {
  if (resolvectl === undefined || dns.servers.length === 0 || dns.domains.length === 0) return [];
  const servers = dns.servers.map(address).join(' ');
  const domains = dns.domains.map((name) => `"~${domain(name)}"`).join(' ');
  return [
    `PostUp = ${resolvectl} dns %i ${servers} || true`,
    `PostUp = ${resolvectl} domain %i ${domains} || true`,
    `PostUp = ${resolvectl} default-route %i false || true`,
  ];
}

function address(text: string): string {
  if (!isIPv4(text)) throw new TypeError('not an IPv4 address');
  return text;
}

function domain(text: string): string {
  if (!/^[a-z0-9.-]{1,253}$/.test(text)) throw new TypeError('not a domain');
  return text;
}

function key(text: string): string {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) throw new TypeError('not a WireGuard key');
  return text;
}

function route(cidr: string): string {
  const [network, prefix] = cidr.split('/');
  if (network === undefined || !isIPv4(network) || !/^\d{1,2}$/.test(prefix ?? '')) throw new TypeError('not a CIDR');
  if (Number(prefix) < 1 || Number(prefix) > 32) throw new TypeError('a default route through the tunnel');
  return cidr;
}

function literalEndpoint(text: string): string {
  const match = /^(?:([0-9.]+)|\[([0-9a-f:]+)\]):(\d{1,5})$/.exec(text);
  const [, v4, v6, port] = match ?? [];
  const literal = (v4 !== undefined && isIPv4(v4)) || (v6 !== undefined && isIPv6(v6));
  if (!literal || Number(port) < 1 || Number(port) > 65_535) throw new TypeError('not a literal endpoint');
  return text;
}
