import { sha256 } from '../../core/bytes.ts';

/** Linux: IFNAMSIZ less its NUL; wg-quick requires the same. */
const MAX_LENGTH = 15;

/**
 * The name of a customer's tunnel interface: `kiwi-<slug>`, or, for a slug that does not fit, its beginning and four hex
 * digits of its hash, so that `riverside-school` and `riverside-shop` do not share one (the control sockets of userspace
 * WireGuard are named by interface, and shared between network namespaces).
 */
export function tunnelInterfaceName(slug: string): string {
  const name = `kiwi-${slug}`;
  if (name.length <= MAX_LENGTH) return name;
  const suffix = `-${sha256(slug).toString('hex').slice(0, 4)}`;
  return name.slice(0, MAX_LENGTH - suffix.length) + suffix;
}
