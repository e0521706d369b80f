import { MARKER } from '../system/found.ts';
import type { TunnelConfig } from '../system/tunnel.ts';
import { addressValue, domainValue, endpointValue, keyValue, routeValue } from './profile-values.ts';

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
    `Address = ${addressValue(config.address)}/32`,
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
    `PublicKey = ${keyValue(config.serverPublicKey)}`,
    `PresharedKey = ${keyValue(config.presharedKey)}`,
    `Endpoint = ${endpointValue(endpoint)}`,
    `AllowedIPs = ${config.allowedCidrs.map(routeValue).join(', ')}`,
    `PersistentKeepalive = ${config.keepaliveSeconds}`,
  ];
}

/**
 * `|| true`: a laptop whose resolver is not up yet gets a tunnel without split DNS rather than no tunnel. `default-route
 * false` keeps all other names out of the tunnel.
 */
function splitDnsLines(dns: TunnelConfig['dns'], resolvectl: string | undefined): string[] {
  if (resolvectl === undefined || dns.servers.length === 0 || dns.domains.length === 0) return [];
  const servers = dns.servers.map(addressValue).join(' ');
  const domains = dns.domains.map((name) => `"~${domainValue(name)}"`).join(' ');
  return [
    `PostUp = ${resolvectl} dns %i ${servers} || true`,
    `PostUp = ${resolvectl} domain %i ${domains} || true`,
    `PostUp = ${resolvectl} default-route %i false || true`,
  ];
}
