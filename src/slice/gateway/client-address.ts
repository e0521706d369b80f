import { isIPv6 } from 'node:net';

/**
 * Whom a rate limit counts as one client: an IPv4 address, or the /64 of an IPv6 one, for a single machine has 2^64 of those. Of
 * the connection itself: X-Forwarded-For is whatever the client writes.
 */
export function clientAddress(remote: string | undefined): string {
  if (remote === undefined) return 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(remote);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!isIPv6(remote)) return remote;
  const [head = '', tail] = (remote.split('%')[0] ?? remote).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
