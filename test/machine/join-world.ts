import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { Outlet } from '../lab/lab.ts';
import { plan } from '../lab/network.ts';
import type { World } from '../world/world.ts';
import { Machine, type MachineSettings } from './machine.ts';

/**
 * A booted machine on the internet of a world, as a user has it: a router gives it an address and a name server, and it
 * trusts the public web PKI. The provider's root comes with the package.
 */
export async function addMachine(
  world: World,
  settings: Omit<MachineSettings, 'network'>,
  outlet?: Outlet,
): Promise<Machine> {
  const machine = await Machine.boot({ ...settings, network: await layNetwork(world, outlet) });
  const root = path.join(world.sliceDir, 'web-ca', 'root.crt');
  await machine.copyIn(root, '/usr/local/share/ca-certificates/public-web-ca.crt', '644');
  const trust = await machine.run(['/usr/sbin/update-ca-certificates']);
  if (trust.code !== 0) throw new Error(`the machine could not be made to trust the web: ${trust.stderr}`);
  return machine;
}

/** A cable to the internet of a world, with a router at its other end. */
export async function layNetwork(world: World, outlet?: Outlet): Promise<Outlet> {
  outlet ??= await world.lab.addOutlet();
  await mkdir(namesFolder(world), { recursive: true });
  startRouter(world, outlet);
  return outlet;
}

/** A file of hosts(5) in it is more of what the routers answer, from the moment on at which it is there. */
export const namesFolder = (world: World): string => path.join(world.dir, 'names');

/**
 * What a home router does: it assigns the address and answers for the names of this internet, which has only one. Ends
 * with the lab.
 */
function startRouter(world: World, { internet, device, mac, address, gateway }: Outlet): void {
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
  const known = [`--host-record=${plan.sliceName},${plan.slice}`, `--hostsdir=${namesFolder(world)}`];
  const names = [...known, '--address=/#/'];
  const lease = [`--dhcp-range=${address},static,255.255.255.252`, `--dhcp-host=${mac},${address},12h`, '--no-ping'];
  const options = [`--dhcp-option=option:router,${gateway}`, `--dhcp-leasefile=/run/${device}.leases`];
  internet.spawn(['/usr/sbin/dnsmasq', ...alone, ...listen, ...names, ...lease, ...options], { stdio: 'ignore' });
}
