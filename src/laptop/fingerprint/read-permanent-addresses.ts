/**
 * The permanent addresses of adapters that currently use another one, from the output of `ip -json link`: NetworkManager
 * gives Wi-Fi adapters random addresses while scanning. Empty for any other output.
 */
export function readPermanentAddresses(json: string): ReadonlyMap<string, string> {
  let links: unknown;
  try {
    links = JSON.parse(json);
  } catch {
    return new Map();
  }
  const found = new Map<string, string>();
  for (const link of Array.isArray(links) ? (links as unknown[]) : []) {
    if (typeof link !== 'object' || link === null || !('ifname' in link) || !('permaddr' in link)) continue;
    if (typeof link.ifname === 'string' && typeof link.permaddr === 'string') found.set(link.ifname, link.permaddr);
  }
  return found;
}
