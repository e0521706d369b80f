import path from 'node:path';

import type { Outlet } from '../lab/lab.ts';
import { plan } from '../lab/network.ts';
import type { World } from '../world/world.ts';
import { Machine, type MachineSettings } from './machine.ts';

/**
 * A booted machine on the internet of a world, as a user has it: a router gives it an address and a name server, and it
 * trusts the public web PKI. The provider's root comes with the package.
 */
export async function addMachine(world: World, settings: Omit<MachineSettings, 'network'>): Promise<Machine> {
  const outlet = await world.lab.addOutlet();
  startRouter(outlet);
  const machine = await Machine.boot({ ...settings, network: outlet });
  const root = path.join(world.sliceDir, 'web-ca', 'root.crt');
  await machine.copyIn(root, '/usr/local/share/ca-certificates/public-web-ca.crt', '644');
  const trust = await machine.run(['/usr/sbin/update-ca-certificates']);
  if (trust.code !== 0) throw new Error(`the machine could not be made to trust the web: ${trust.stderr}`);
  return machine;
}

/**
 * What a home router does: it assigns the address and answers for the names of this internet, which has only one. Ends
 * with the lab.
 */
function startRouter({ internet, device, mac, address, gateway }: Outlet): void {
  const alone = [
    '-k',
    '-C',
    '/dev/null',
    '-u',
    'root',
    '--no-resolv',
    '--no-hosts',
    '--pid-file=',
    '--dhcp-authoritative',
  ];
  const listen = [`--interface=${device}`, '--except-interface=lo', '--bind-interfaces'];
  const names = [`--host-record=${plan.sliceName},${plan.slice}`, '--address=/#/'];
  const lease = [`--dhcp-range=${address},static,255.255.255.252`, `--dhcp-host=${mac},${address},12h`, '--no-ping'];
  const options = [`--dhcp-option=option:router,${gateway}`, `--dhcp-leasefile=/run/${device}.leases`];
  internet.spawn(['/usr/sbin/dnsmasq', ...alone, ...listen, ...names, ...lease, ...options], { stdio: 'ignore' });
}
