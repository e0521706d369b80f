import { MARKER } from '../system/found.ts';
import type { TunnelConfig } from '../system/tunnel.ts';
import { tunnelInterfaceName } from './interface-name.ts';
import { addressValue, domainValue, endpointValue, keyValue, routeValue } from './profile-values.ts';
import { profileUuid } from './profile-uuid.ts';
import { TUNNEL_MTU } from './render-wg-quick.ts';

export interface KeyfileOptions {
  /** The literal address and port of the peer. */
  readonly endpoint: string;
  /** True where NetworkManager hands name servers to a resolver that can tell domains apart. */
  readonly splitDns: boolean;
  /** Undefined: `TUNNEL_MTU`. */
  readonly mtu?: number | undefined;
}

/**
 * The text of a profile for NetworkManager (nm-settings-keyfile(5)). It holds secrets.
 *
 * - `permissions=` (everybody) and `autoconnect`: up at boot, before anybody logs in. `autoconnect-retries=0`: it never gives up.
 * - The flags 0 say that the secrets are in this file, not in a keyring that opens with a login.
 * - Neither `never-default` nor the two `auto-default-route` let the tunnel become the default route, whatever the peer's networks are.
 * - `~` makes a domain one for routing alone: it is no search domain, and only its names go to these servers. Without a resolver that
 *   can do this there is no `dns=`: NetworkManager would write the tunnel's server before all others into /etc/resolv.conf, every name
 *   would go through the tunnel, and with a dead tunnel none would resolve.
 *
 * @throws TypeError on a default route or a malformed value: the grant's schema refuses both earlier
 */
export function renderKeyfile(config: TunnelConfig, options: KeyfileOptions): string {
  const name = tunnelInterfaceName(config.slug);
  const { servers, domains } = config.dns;
  const splitDns = options.splitDns && servers.length > 0 && domains.length > 0;
  return [
    `${MARKER}. Changes are lost; \`kiwistack-enroll uninstall\` removes it.`,
    '[connection]',
    `id=${name}`,
    `uuid=${profileUuid(name)}`,
    'type=wireguard',
    `interface-name=${name}`,
    'autoconnect=true',
    'autoconnect-retries=0',
    'permissions=',
    '',
    '[wireguard]',
    `mtu=${options.mtu ?? TUNNEL_MTU}`,
    'peer-routes=true',
    'ip4-auto-default-route=0',
    'ip6-auto-default-route=0',
    `private-key=${config.privateKey.bytes.toString('base64')}`,
    'private-key-flags=0',
    '',
    `[wireguard-peer.${keyValue(config.serverPublicKey)}]`,
    `endpoint=${endpointValue(options.endpoint)}`,
    `preshared-key=${keyValue(config.presharedKey)}`,
    'preshared-key-flags=0',
    `persistent-keepalive=${config.keepaliveSeconds}`,
    `allowed-ips=${list(config.allowedCidrs.map(routeValue))}`,
    '',
    '[ipv4]',
    'method=manual',
    `address1=${addressValue(config.address)}/32`,
    ...(splitDns ? [`dns=${list(servers.map(addressValue))}`] : []),
    ...(splitDns ? [`dns-search=${list(domains.map((domain) => `~${domainValue(domain)}`))}`] : []),
    'dns-priority=50',
    'never-default=true',
    '',
    '[ipv6]',
    'method=disabled',
    '',
  ].join('\n');
}

function list(values: readonly string[]): string {
  return values.map((value) => `${value};`).join('');
}
