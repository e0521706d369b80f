/** The parameters of a slice's packet filter. */
export interface Guarded {
  /** The tunnel's interface. */
  readonly interface: string;
  /** The tunnel network: the slice's inside address and the laptops'. */
  readonly network: string;
  /** What laptops may reach through the tunnel. */
  readonly insideCidrs: readonly string[];
  /** The DNS servers of the laptops; a lost one needs them to find Fleet. */
  readonly dnsServers: readonly string[];
}

/** The nftables table of one slice; each slice on a machine has its own. */
export const guardTable = (tunnel: string): string => `inet kiwistack-${tunnel}`;

/**
 * The packet filter of a slice, for `nft`: only the tunnel's interface reaches the inside networks, and the tunnel
 * reaches nothing else. It replaces an older table of the same name and touches no other: what the machine's own rules
 * drop stays dropped.
 *
 * An inside address is not safe just because it is not routed outside. A neighbour can send this machine a packet for
 * any address: the machine accepts it for any of its own addresses on any interface (the weak host model, RFC 1122,
 * section 3.3.4.2), and forwards the rest.
 */
export function renderGuard({ interface: tunnel, network, insideCidrs, dnsServers }: Guarded): string {
  const table = guardTable(tunnel);
  const dns =
    dnsServers.length === 0
      ? ''
      : `\n    ip daddr { ${[...new Set(dnsServers)].join(', ')} } meta l4proto { tcp, udp } th dport 53 accept`;
  const reachable = [...new Set([network, ...insideCidrs])];
  return `add table ${table}
delete table ${table}
table ${table} {
  set inside {
    type ipv4_addr; flags interval; auto-merge
    elements = { ${insideCidrs.join(', ')} }
  }
  set reachable {
    type ipv4_addr; flags interval; auto-merge
    elements = { ${reachable.join(', ')} }
  }
  set restricted { type ipv4_addr; }
  set fleet { type ipv4_addr . inet_service; }
  chain restricted {
    ip daddr . tcp dport @fleet accept${dns}
    drop
  }
  chain arriving {
    type filter hook prerouting priority raw; policy accept;
    iifname "${tunnel}" ip saddr @restricted jump restricted
    iifname { "lo", "${tunnel}" } accept
    ip saddr @inside fib saddr . iif oif exists accept comment "from inside, on the interface where that is"
    ip daddr @reachable fib daddr type local fib daddr . iif type != local drop comment "another interface's address"
  }
  chain passing {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname "${tunnel}" ip daddr @reachable accept
    iifname "${tunnel}" drop
    ip daddr @reachable ip saddr @inside fib saddr . iif oif exists accept
    oifname "${tunnel}" drop
    ip daddr @inside drop
  }
}
`;
}

/** Where Fleet is. */
export interface FleetAddress {
  readonly address: string;
  readonly port: number;
}

/** Replaces, at once, which laptops of the tunnel reach nothing but Fleet, and where that is. */
export function renderRestricted(tunnel: string, addresses: readonly string[], fleet: readonly FleetAddress[]): string {
  const table = guardTable(tunnel);
  const fill = (set: string, elements: readonly string[]): string =>
    `flush set ${table} ${set}\n` +
    (elements.length === 0 ? '' : `add element ${table} ${set} { ${elements.join(', ')} }\n`);
  return (
    fill('fleet', [...new Set(fleet.map(({ address, port }) => `${address} . ${port}`))].sort()) +
    fill('restricted', [...new Set(addresses)].sort())
  );
}

/** The table that the slices of a machine share while they have forwarding enabled. */
export const FORWARDING_TABLE = 'inet kiwistack';

/**
 * For a machine that did not forward before its first slice: it now forwards only for the tunnels of its slices. Safe
 * to repeat.
 */
export function renderForwarding(tunnel: string): string {
  return `add table ${FORWARDING_TABLE}
add set ${FORWARDING_TABLE} tunnels { type ifname; }
add chain ${FORWARDING_TABLE} passing { type filter hook forward priority filter; policy accept; }
flush chain ${FORWARDING_TABLE} passing
add rule ${FORWARDING_TABLE} passing iifname @tunnels accept
add rule ${FORWARDING_TABLE} passing oifname @tunnels accept
add rule ${FORWARDING_TABLE} passing drop
add element ${FORWARDING_TABLE} tunnels { "${tunnel}" }
`;
}
