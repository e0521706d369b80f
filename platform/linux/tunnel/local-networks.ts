import type { LocalNetwork } from '../../../src/laptop/system/tunnel.ts';
import { readLocalNetworks } from '../../../src/laptop/tunnel/read-local-networks.ts';
import { readPolicyRoutes } from '../../../src/laptop/tunnel/read-policy-routes.ts';
import { runToolChecked, type LinuxSystem } from '../system.ts';

/**
 * Addresses of every interface, the routes of the main table, and those of other tables that are asked before it. IPv4 alone: the tunnel
 * carries nothing else, so no rule or route for IPv6 can take anything from it.
 */
export async function localNetworks(system: LinuxSystem, tunnel: string): Promise<LocalNetwork[]> {
  const ask = async (...args: string[]): Promise<string> => {
    const { stdout } = await runToolChecked(system, { name: 'ip', args, timeoutMs: 20_000 }, 'program-failed');
    return stdout.toString();
  };
  const [addresses, routes, rules, all] = await Promise.all([
    ask('-4', '-o', 'address', 'show'),
    ask('-4', 'route', 'show', 'table', 'main'),
    ask('-4', 'rule', 'show'),
    ask('-4', 'route', 'show', 'table', 'all'),
  ]);
  return [...readLocalNetworks(addresses, routes, tunnel), ...readPolicyRoutes(rules, all, tunnel)];
}
