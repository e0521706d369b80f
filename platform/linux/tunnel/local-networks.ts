import type { LocalNetwork } from '../../../src/laptop/system/tunnel.ts';
import { readLocalNetworks } from '../../../src/laptop/tunnel/read-local-networks.ts';
import { runToolChecked, type LinuxSystem } from '../system.ts';

/** Addresses of every interface, and the routes of the main table; other tables are of programs that know what they do. */
export async function localNetworks(system: LinuxSystem, tunnel: string): Promise<LocalNetwork[]> {
  const ask = async (...args: string[]): Promise<string> => {
    const { stdout } = await runToolChecked(system, { name: 'ip', args, timeoutMs: 5_000 }, 'program-failed');
    return stdout.toString();
  };
  const [addresses, routes] = await Promise.all([
    ask('-4', '-o', 'address', 'show'),
    ask('-4', 'route', 'show', 'table', 'main'),
  ]);
  return readLocalNetworks(addresses, routes, tunnel);
}
