import { KiwiError } from '../../core/errors.ts';
import { isEnded, TUNNEL_CLOSED } from '../standing/ended-error.ts';
import { knownEndpoints } from '../tunnel/known-endpoints.ts';
import { notKnown, notWell, well, type Check } from './check.ts';
import { insideNetworks } from './routes.ts';

/** WireGuard repeats a handshake that is in use every two minutes; with keepalive a healthy age stays below this. */
const HANDSHAKE_MAX_AGE_MS = 180_000;

export const tunnelHandshake: Check = {
  code: 'tunnel-handshake',
  severity: 'failure',
  what: "The slice's WireGuard has answered within the last three minutes.",
  matters: 'Nothing inside can be reached.',
  dependsOn: ['tunnel-up'],
  async run({ context, tunnel, slice }) {
    const { lastHandshake, endpoint = 'no address', keptByApp } = await tunnel();
    if (keptByApp === true) return notKnown('the WireGuard app keeps the tunnel, and does not tell');
    const age = lastHandshake === undefined ? undefined : context.clock.now() - lastHandshake;
    const seconds = Math.round((age ?? 0) / 1000);
    if (age !== undefined && seconds * 1000 < HANDSHAKE_MAX_AGE_MS) return well(`${seconds} s ago, with ${endpoint}`);
    if (isEnded(await slice())) return notKnown(TUNNEL_CLOSED);
    const detail =
      age === undefined
        ? `no handshake with ${endpoint} yet`
        : `the last handshake with ${endpoint} was ${seconds} s ago`;
    return notWell(new KiwiError('tunnel-no-handshake', { detail }), 'mend-tunnel');
  },
};

/** When HTTPS to the same slice works and WireGuard does not, the network in between is the likely reason. */
export const udpPasses: Check = {
  code: 'udp',
  severity: 'failure',
  what: 'This network lets UDP through to the slice.',
  matters: 'The tunnel cannot work in this network.',
  dependsOn: ['tunnel-endpoint'],
  async run({ context, record, tunnel, inside, slice }) {
    const { lastHandshake, endpoint = 'an unknown address', rxBytes, txBytes } = await tunnel();
    const fresh = lastHandshake !== undefined && context.clock.now() - lastHandshake < HANDSHAKE_MAX_AGE_MS;
    if (fresh || (await inside())) return well(`${endpoint} answers over UDP`);
    const answer = await slice();
    if (answer instanceof KiwiError) return notKnown('the gateway does not answer either');
    if (isEnded(answer)) return notKnown(TUNNEL_CLOSED);
    const granted = record.device?.tunnel?.endpoints ?? [];
    const others = await context.platform.tunnel.resolve(knownEndpoints(granted, record.gatewayUrl));
    const tried = [...new Set([endpoint, ...others])].join(', ');
    const detail = `the gateway answers over HTTPS, and nothing comes back from UDP ${tried} (${txBytes} bytes sent, ${rxBytes} received)`;
    return notWell(new KiwiError('udp-blocked', { detail }), 'mend-tunnel');
  },
};

export const tunnelAsGranted: Check = {
  code: 'tunnel-peer',
  severity: 'failure',
  what: 'The tunnel has one peer, with the networks that were granted.',
  matters: 'Networks inside cannot be reached, or others are led into the tunnel.',
  dependsOn: ['tunnel-up'],
  async run(facts) {
    const { interface: name } = await facts.tunnel();
    const peer = await facts.context.platform.inspector.peer(name);
    const granted = insideNetworks(facts);
    if (peer === undefined || granted.length === 0) return notKnown('it cannot be compared');
    const differ = (detail: string) => notWell(new KiwiError('tunnel-altered', { detail }), 'restart-tunnel');
    if (peer.peers !== 1) return differ(`${name} has ${peer.peers} peers`);
    const missing = granted.filter((network) => !peer.allowedNetworks.includes(network));
    if (missing.length > 0) return differ(`${name} does not allow ${missing.join(', ')}`);
    const more = peer.allowedNetworks.filter((network) => !granted.includes(network));
    if (more.length > 0) return differ(`${name} also takes ${more.join(', ')}, which was not granted`);
    return well(`${name} takes ${granted.join(', ')}`);
  },
};

/** Behind a router that translates addresses, the slice cannot begin. */
export const tunnelKeptAlive: Check = {
  code: 'tunnel-keepalive',
  severity: 'warning',
  what: 'The tunnel sends something every half minute at least.',
  matters: 'After a while of silence, nobody inside reaches this laptop, and Fleet shows it as offline.',
  dependsOn: ['tunnel-up'],
  async run({ context, tunnel }) {
    const { interface: name } = await tunnel();
    const peer = await context.platform.inspector.peer(name);
    if (peer === undefined) return notKnown('it cannot be read');
    const seconds = peer.keepaliveSeconds;
    if (seconds !== undefined && seconds <= 30) return well(`every ${seconds} s`);
    const detail = seconds === undefined ? 'it is switched off' : `only every ${seconds} s`;
    return notWell(new KiwiError('tunnel-altered', { detail }), 'restart-tunnel');
  },
};
