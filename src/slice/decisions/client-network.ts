/**
 * The network that a client belongs to: the /24 of an IPv4 address, the /48 of an IPv6 address. Addresses of one
 * network are cheap to have by the hundred, other networks are not.
 *
 * @param client as the gateway counts clients: an IPv4 address, or the /64 of an IPv6 address (`a:b:c:d::/64`)
 */
export function clientNetwork(client: string): string {
  const ipv4 = /^(\d+\.\d+\.\d+)\.\d+$/.exec(client);
  if (ipv4?.[1] !== undefined) return `${ipv4[1]}.0/24`;
  const ipv6 = /^([0-9a-f]+:[0-9a-f]+:[0-9a-f]+):[0-9a-f]+::\/64$/i.exec(client);
  return ipv6?.[1] === undefined ? client : `${ipv6[1]}::/48`;
}
