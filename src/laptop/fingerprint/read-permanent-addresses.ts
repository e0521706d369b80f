/**
 * The permanent addresses of adapters that use another one for now, from what `ip -json link` prints: NetworkManager
 * gives Wi-Fi made-up addresses while it looks around. Empty for anything that is not of that form.
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
