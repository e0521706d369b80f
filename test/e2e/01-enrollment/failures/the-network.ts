import { shell, UNDONE, type Failure } from './failure.ts';

/** What lies between laptop and slice. */
export const NETWORK_FAILURES: readonly Failure[] = [
  {
    name: 'the gateway is not reachable',
    arrange: (stage) => shell(stage, 'ip route add unreachable 203.0.113.10'),
    restore: (stage) => shell(stage, 'ip route del unreachable 203.0.113.10'),
    step: 'slice',
    code: 'gateway-unreachable',
    exit: 5,
    undone: UNDONE.deviceKey,
  },
  {
    name: 'the gateway’s name does not resolve',
    cli: { mounts: 'echo "127.0.0.1 localhost" >/tmp/hosts; mount --bind /tmp/hosts /etc/hosts' },
    step: 'slice',
    code: 'gateway-unreachable',
    exit: 5,
    says: /ENOTFOUND|EAI_AGAIN/u,
    undone: UNDONE.deviceKey,
  },
  {
    name: 'a firewall drops UDP: the tunnel gets no answer',
    arrange: (stage) => shell(stage, `ip rule add ipproto udp to 203.0.113.10 blackhole`),
    restore: (stage) => shell(stage, `ip rule del ipproto udp to 203.0.113.10 blackhole`),
    step: 'tunnel',
    code: 'tunnel-no-handshake',
    exit: 5,
    undone: UNDONE.tunnel,
  },
  {
    name: 'Fleet is not reachable through the tunnel',
    arrange: (stage) => shell(stage, 'ip rule add ipproto tcp to 10.77.1.20 unreachable'),
    restore: (stage) => shell(stage, 'ip rule del ipproto tcp to 10.77.1.20 unreachable'),
    step: 'agent',
    code: 'fleet-unreachable',
    exit: 5,
    undone: UNDONE.agent,
  },
];
