import { KiwiError } from '../../core/errors.ts';
import { isEnded, TUNNEL_CLOSED } from '../standing/ended-error.ts';
import { packetsFit } from '../tunnel/fit-packets.ts';
import { isLiteral } from '../tunnel/endpoint-candidates.ts';
import { knownEndpoints } from '../tunnel/known-endpoints.ts';
import { notKnown, notWell, well, type Check } from './check.ts';

export const tunnelUp: Check = {
  code: 'tunnel-up',
  severity: 'failure',
  what: "The tunnel's interface exists.",
  matters: 'Nothing inside can be reached.',
  dependsOn: [],
  async run({ tunnel }) {
    const { up, interface: name, profile } = await tunnel();
    if (up) return well(`the interface ${name}`);
    const hint = profile === undefined ? {} : { hint: `Start it with \`${profile.start}\`.` };
    return notWell(new KiwiError('enrollment-unhealthy', { detail: 'the tunnel is down', ...hint }), 'restart-tunnel');
  },
};

export const tunnelAtBoot: Check = {
  code: 'tunnel-at-boot',
  severity: 'failure',
  what: 'The tunnel starts at boot.',
  matters: 'After a restart nothing inside can be reached.',
  dependsOn: [],
  async run({ tunnel }) {
    const { startsAtBoot, profile } = await tunnel();
    if (startsAtBoot) return well(`${profile?.keptBy ?? 'the system'} starts it`);
    const hint = profile === undefined ? {} : { hint: `Enable it with \`${profile.enable}\`.` };
    const error = new KiwiError('enrollment-unhealthy', { detail: 'the tunnel does not start at boot', ...hint });
    return notWell(error, 'enable-tunnel');
  },
};

/** On a path with a smaller MTU, pings work and everything larger stalls. */
export const tunnelPacketSize: Check = {
  code: 'packet-size',
  severity: 'failure',
  what: "Packets as large as the tunnel's MTU come back.",
  matters: 'Pings work, and everything larger stalls.',
  dependsOn: ['tunnel-inside'],
  async run({ context, record, tunnel }) {
    const probe = record.device?.probe;
    const { mtu = 0 } = await tunnel();
    if (probe === undefined) return notKnown('the record names nothing inside to ask');
    const { tunnel: system } = context.platform;
    if (await packetsFit({ tunnel: system, slug: record.slug, probe }, context.signal)) {
      return well(`packets of ${mtu} bytes come back from ${probe}`);
    }
    const detail = `packets of ${mtu} bytes do not come back from ${probe}`;
    return notWell(new KiwiError('tunnel-packet-size', { detail }), 'mend-tunnel');
  },
};

/** Only while the tunnel is silent: WireGuard follows a peer that moves and goes on sending. */
export const tunnelEndpointKnown: Check = {
  code: 'tunnel-endpoint',
  severity: 'failure',
  what: 'While the tunnel is silent, it uses an address that the slice has now.',
  matters: 'Nothing inside can be reached.',
  dependsOn: ['tunnel-up'],
  async run({ context, record, tunnel, inside }) {
    const granted = record.device?.tunnel?.endpoints;
    const { endpoint, keptByApp } = await tunnel();
    if (granted === undefined) return notKnown('the record does not say where the slice is');
    if (keptByApp === true) return well('the WireGuard app looks it up by itself');
    if (await inside()) return well(`it answers at ${endpoint ?? 'an unknown address'}`);
    // A literal address in the grant stays what it was when the slice moves: names say where it is now.
    const known = knownEndpoints(granted, record.gatewayUrl);
    const named = known.filter((one) => !isLiteral(one));
    const now = await context.platform.tunnel.resolve(named.length > 0 ? named : known);
    if (now.length === 0) return well(`silent, but no other address of the slice is known than ${endpoint ?? 'none'}`);
    // One of several: the mending tries the others too, and that none of them answers is what the check of UDP says.
    if (endpoint !== undefined && now.includes(endpoint))
      return well(`silent, but the slice has the address ${endpoint}`);
    const detail = `the tunnel uses ${endpoint ?? 'no address'}; now it would be ${now.join(' or ')}`;
    return notWell(new KiwiError('tunnel-endpoint-moved', { detail }), 'mend-tunnel');
  },
};

export const tunnelReachesInside: Check = {
  code: 'tunnel-inside',
  severity: 'failure',
  what: 'The slice answers inside the tunnel.',
  matters: 'Nothing inside can be reached.',
  dependsOn: ['tunnel-up'],
  async run({ record, inside, slice }) {
    const probe = record.device?.probe ?? 'the slice';
    if (await inside()) return well(`${probe} answers`);
    if (isEnded(await slice())) return notKnown(TUNNEL_CLOSED);
    return notWell(
      new KiwiError('tunnel-no-handshake', { detail: `${probe} in the tunnel does not answer` }),
      'mend-tunnel',
    );
  },
};
