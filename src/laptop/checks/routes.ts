import { KiwiError } from '../../core/errors.ts';
import { findOverlap } from '../tunnel/find-overlap.ts';
import { notKnown, notWell, well, type Check } from './check.ts';
import type { EnrollmentFacts } from './enrollment-facts.ts';

/** Networks change under an enrolled laptop: the tunnel takes an overlapping one silently, or reaches nothing. */
export const networksApart: Check = {
  code: 'networks',
  severity: 'failure',
  what: "No network that this laptop uses overlaps with the customer's.",
  matters: 'Addresses in both networks reach only one of them.',
  dependsOn: [],
  async run({ context, record }) {
    const networks = record.device?.tunnel?.networks ?? [];
    const overlap = await findOverlap(context.platform.tunnel, record.slug, networks);
    return overlap === undefined ? well(`apart from ${networks.join(', ')}`) : notWell(overlap);
  },
};

/** Asked of the kernel itself, so that narrower routes and the rules of other VPNs count. */
export const routesInside: Check = {
  code: 'routes',
  severity: 'failure',
  what: "Packets for each of the customer's networks go into the tunnel.",
  matters: 'What is in such a network cannot be reached.',
  dependsOn: ['tunnel-up', 'networks'],
  async run(facts) {
    const { inspector } = facts.context.platform;
    const { interface: name } = await facts.tunnel();
    const networks = insideNetworks(facts);
    if (networks.length === 0) return notKnown('the record does not name them');
    const places = networks.flatMap((network) => edgesOf(network).map((address) => ({ network, address })));
    const found = await Promise.all(
      places.map(async (place) => ({ ...place, interface: await inspector.interfaceFor(place.address) })),
    );
    const astray = found.find((one) => one.interface !== name);
    if (astray === undefined) return well(`${networks.join(', ')} through ${name}`);
    const rules = await inspector.routingRules();
    const besides = rules.length === 0 ? '' : `; rules of other programs: ${rules.slice(0, 4).join('; ')}`;
    const detail = `${astray.network} goes to ${astray.interface ?? 'nowhere'}${besides}`;
    return notWell(new KiwiError('route-missing', { detail }), 'restart-tunnel');
  },
};

/** A full tunnel was never granted, and WireGuard's own packets in its tunnel would end all traffic. */
export const routesOutside: Check = {
  code: 'routes-public',
  severity: 'failure',
  what: "Packets for the slice's public address do not go into the tunnel.",
  matters: 'The tunnel would carry itself: nothing arrives.',
  dependsOn: ['tunnel-up'],
  async run({ context, tunnel }) {
    const { interface: name, endpoint } = await tunnel();
    const address = endpoint?.replace(/:\d+$/u, '').replaceAll(/[[\]]/gu, '');
    if (address === undefined) return notKnown('the tunnel has no address to send to');
    const through = await context.platform.inspector.interfaceFor(address);
    // A network that is down shows in the checks of names and of the slice, which say so.
    if (through === undefined) return notKnown(`there is no way to ${address}`);
    if (through !== name) return well(`${address} through ${through}`);
    return notWell(
      new KiwiError('tunnel-altered', { detail: `${address} goes through ${name} itself` }),
      'restart-tunnel',
    );
  },
};

/** The granted networks without this laptop's own address. */
export function insideNetworks({ record }: EnrollmentFacts): string[] {
  const { tunnel, address } = record.device ?? {};
  return (tunnel?.networks ?? []).filter((network) => network !== `${address ?? ''}/32`);
}

/** The first and the last address of an IPv4 network that can be a host's. */
function edgesOf(network: string): string[] {
  const [address = '', length = '32'] = network.split('/');
  const size = 2 ** (32 - Number(length));
  const base = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  if (size <= 2) return [address];
  return [base + 1, base + size - 2].map((number) =>
    [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.'),
  );
}
