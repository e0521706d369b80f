import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { Outlet } from '../lab/lab.ts';
import { plan } from '../lab/network.ts';
import type { World } from '../world/world.ts';
import { Machine, type MachineSettings } from './machine.ts';

/**
 * A machine on the internet of a world, booted, as a person has it: its router gives it an address and names, it trusts the
 * public web PKI and has the provider's root.
 */
export async function addMachine(world: World, settings: Omit<MachineSettings, 'network'>): Promise<Machine> {
  const outlet = await world.lab.addOutlet();
  startRouter(outlet);
  const machine = await Machine.boot({ ...settings, network: outlet });
  await machine.copyIn(path.join(world.sliceDir, 'msp', 'root.crt'), '/etc/kiwistack/msp-roots.pem', '644');
  await machine.copyIn(
    path.join(world.sliceDir, 'web-ca', 'root.crt'),
    '/usr/local/share/ca-certificates/public-web-ca.crt',
    '644',
  );
  const trust = await machine.run(['/usr/sbin/update-ca-certificates']);
  if (trust.code !== 0) throw new Error(`the machine could not be made to trust the web: ${trust.stderr}`);
  return machine;
}

/** What a router at home does: gives the address, and answers for the names of this internet, which has one. Ends with the lab. */
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

/** Where the machines of a world have their folders. */
export async function machineFolder(world: World, name: string): Promise<string> {
  const dir = path.join(world.dir, 'private', 'machines', name);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return dir;
}
