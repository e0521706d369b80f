import { KiwiError } from '../../core/errors.ts';
import { packetsFit } from '../tunnel/fit-packets.ts';
import { knownEndpoints } from '../tunnel/known-endpoints.ts';
import type { Check } from './check.ts';

export const tunnelUp: Check = {
  code: 'tunnel-up',
  severity: 'failure',
  dependsOn: [],
  async run({ context, record, tunnel }) {
    if ((await tunnel()).up) return undefined;
    const unit = context.platform.tunnelUnit(record.slug);
    return new KiwiError('enrollment-unhealthy', {
      detail: 'the tunnel is down',
      ...(unit === undefined ? {} : { hint: `Start it with \`sudo systemctl restart ${unit}\`.` }),
    });
  },
};

export const tunnelAtBoot: Check = {
  code: 'tunnel-at-boot',
  severity: 'failure',
  dependsOn: [],
  async run({ context, record, tunnel }) {
    if ((await tunnel()).startsAtBoot) return undefined;
    const unit = context.platform.tunnelUnit(record.slug);
    return new KiwiError('enrollment-unhealthy', {
      detail: 'the tunnel does not start at boot',
      ...(unit === undefined ? {} : { hint: `Enable it with \`sudo systemctl enable ${unit}\`.` }),
    });
  },
};

/** On a path with a smaller MTU, pings work and everything larger stalls. */
export const tunnelPacketSize: Check = {
  code: 'packet-size',
  severity: 'failure',
  dependsOn: ['tunnel-inside'],
  async run({ context, record, tunnel }) {
    const probe = record.device?.probe;
    if (probe === undefined || (await packetsFit({ tunnel: context.platform.tunnel, slug: record.slug, probe }))) {
      return undefined;
    }
    const { mtu } = await tunnel();
    return new KiwiError('tunnel-packet-size', {
      detail: `packets of ${mtu ?? 0} bytes do not come back from ${probe}`,
    });
  },
};

/** Only while the tunnel is silent: WireGuard follows a peer that moves and goes on sending. */
export const tunnelEndpointKnown: Check = {
  code: 'tunnel-endpoint',
  severity: 'failure',
  dependsOn: ['tunnel-up'],
  async run({ context, record, tunnel, inside }) {
    const granted = record.device?.tunnel?.endpoints;
    if (granted === undefined || (await inside())) return undefined;
    const { endpoint } = await tunnel();
    const now = await context.platform.tunnel.resolve(knownEndpoints(granted, record.gatewayUrl));
    const others = now.filter((candidate) => candidate !== endpoint);
    if (others.length === 0) return undefined;
    return new KiwiError('tunnel-endpoint-moved', {
      detail: `the tunnel uses ${endpoint ?? 'no address'}; now it would be ${others.join(' or ')}`,
    });
  },
};

export const tunnelReachesInside: Check = {
  code: 'tunnel-inside',
  severity: 'failure',
  dependsOn: ['tunnel-up'],
  async run({ record, inside }) {
    if (await inside()) return undefined;
    return new KiwiError('tunnel-no-handshake', {
      detail: `${record.device?.probe ?? 'the slice'} in the tunnel does not answer`,
    });
  },
};
