import { z } from 'zod';

import { readHelper } from './helper.ts';
import type { WindowsSystem } from './system.ts';

const address = z.string().max(64);
const mac = z.string().regex(/^(?:[0-9a-f]{2}){0,8}$/u);

const adapter = z.strictObject({
  name: z.string().max(300),
  description: z.string().max(300),
  guid: z.string().max(64),
  index: z.int(),
  /** Of IANA: 6 Ethernet, 71 Wi-Fi, 24 loopback, 53 virtual. */
  type: z.int(),
  mtu: z.int(),
  up: z.boolean(),
  mac,
  hardware: z.boolean().exactOptional(),
  permanentMac: mac.exactOptional(),
  received: z.number().exactOptional(),
  sent: z.number().exactOptional(),
  addresses: z.array(address),
  dnsServers: z.array(address),
});
export type Adapter = z.infer<typeof adapter>;

export async function adapters(system: WindowsSystem): Promise<Adapter[]> {
  return readHelper(system, z.array(adapter).max(500), ['adapters']);
}

const route = z.strictObject({ destination: address, nextHop: address, index: z.int(), metric: z.int() });
export type Route = z.infer<typeof route>;

/** Of IPv4. */
export async function routes(system: WindowsSystem): Promise<Route[]> {
  return readHelper(system, z.array(route).max(10_000), ['routes']);
}
