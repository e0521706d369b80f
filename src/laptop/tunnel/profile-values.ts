import { isIPv4, isIPv6 } from 'node:net';

/**
 * What goes into a tunnel's profile, as it may be written there: nothing that a shell, a list or a line break could end. The grant's
 * schema refuses all else earlier; each of these throws a TypeError.
 */

export function addressValue(text: string): string {
  if (!isIPv4(text)) throw new TypeError('not an IPv4 address');
  return text;
}

export function domainValue(text: string): string {
  if (!/^[a-z0-9.-]{1,253}$/.test(text)) throw new TypeError('not a domain');
  return text;
}

export function keyValue(text: string): string {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) throw new TypeError('not a WireGuard key');
  return text;
}

export function routeValue(cidr: string): string {
  const [network, prefix] = cidr.split('/');
  if (network === undefined || !isIPv4(network) || !/^\d{1,2}$/.test(prefix ?? '')) throw new TypeError('not a CIDR');
  if (Number(prefix) < 1 || Number(prefix) > 32) throw new TypeError('a default route through the tunnel');
  return cidr;
}

/** A literal address and a port. */
export function endpointValue(text: string): string {
  const match = /^(?:([0-9.]+)|\[([0-9a-f:]+)\]):(\d{1,5})$/.exec(text);
  const [, v4, v6, port] = match ?? [];
  const literal = (v4 !== undefined && isIPv4(v4)) || (v6 !== undefined && isIPv6(v6));
  if (!literal || Number(port) < 1 || Number(port) > 65_535) throw new TypeError('not a literal endpoint');
  return text;
}
