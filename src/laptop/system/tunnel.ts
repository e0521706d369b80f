import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { Found } from './found.ts';

/** The desired state of the tunnel: what the grant specifies, with our own private key. */
export interface TunnelConfig {
  /** The customer's slug: the interface is named after it. */
  readonly slug: string;
  /** 32 bytes; the caller clears it. */
  readonly privateKey: SecretBytes;
  /** IPv4 address of this laptop inside the tunnel, without a prefix length. */
  readonly address: string;
  /** `host:port`, `a.b.c.d:port` or `[v6]:port`, in order of preference. */
  readonly endpoints: readonly string[];
  readonly serverPublicKey: string;
  readonly presharedKey: string;
  /** Never a default route: an implementation refuses a prefix length of 0. */
  readonly allowedCidrs: readonly string[];
  readonly dns: { readonly servers: readonly string[]; readonly domains: readonly string[] };
  readonly keepaliveSeconds: number;
}

/** What the system keeps of a tunnel while it does not run, and how people deal with that. */
export interface TunnelProfile {
  /** The program that brings the tunnel up: `NetworkManager`, `wg-quick`. */
  readonly keptBy: string;
  readonly file: string;
  /** The unit after which the tunnel is up, or comes up: the Fleet agent starts after it. */
  readonly unit: string | undefined;
  /** Commands for a person: start it now, and have it start at boot. */
  readonly start: string;
  readonly enable: string;
}

export interface TunnelStatus {
  readonly interface: string;
  /** False when there is no such interface; the other fields are then zero. */
  readonly up: boolean;
  /** Undefined when there is none of ours. */
  readonly profile: TunnelProfile | undefined;
  /** True when a restart of the laptop brings it up again; by an app, once somebody has logged in. */
  readonly startsAtBoot: boolean;
  /** An app that the person has chosen keeps it, and tells neither handshakes nor what was sent. */
  readonly keptByApp?: true;
  /** Of the interface, bytes. */
  readonly mtu: number | undefined;
  /** The endpoint in use: a literal address and a port. */
  readonly endpoint: string | undefined;
  /** Milliseconds since 1970; undefined when there was none yet. */
  readonly lastHandshake: number | undefined;
  readonly rxBytes: number;
  readonly txBytes: number;
  /** True when names of the customer's domains are resolved through the tunnel, and only those. */
  readonly splitDns: boolean;
}

/** A network that this laptop uses apart from the tunnel. */
export interface LocalNetwork {
  /**
   * Of an interface, of a route, or the address of a router; a route that policy routing asks before all those of the main table; or a
   * network that a program keeps for its own interface with a packet filter.
   */
  readonly kind: 'address' | 'route' | 'next hop' | 'policy route' | 'claim';
  /** For a route without an interface, its type: `unreachable`, `blackhole`. */
  readonly interface: string;
  /** IPv4, with a prefix length unless it is a single address. */
  readonly network: string;
  /** Networks in it to which it does not apply. */
  readonly except?: readonly string[];
}

/**
 * The operating system's WireGuard tunnel. Obligations of an implementation:
 * - `up` takes the desired state and is safe to repeat; it does not touch a running tunnel that already matches. It resolves
 *   names itself and configures the literal address that answered, so that a dead AAAA record cannot keep the tunnel down.
 *   Its promise resolves after a handshake; it throws `tunnel-no-handshake` when there was none in time (the configuration
 *   stays, for `down` to remove) or `tunnel-tools-failed`.
 * - the tunnel comes up again at boot without a login, and never carries the default route or public DNS.
 * - secrets are in files that only root can read, never in an argument or the environment of a program.
 * - a profile or interface of another program with the same name is left as it is; `up` throws `tunnel-name-taken`.
 * - `down` leaves nothing of ours, whether of this customer or only `found`, is safe to repeat, and succeeds when there never
 *   was a tunnel.
 * - `found` changes nothing and needs no record.
 * - `status` changes nothing.
 */
export interface Tunnel {
  up(config: TunnelConfig, signal?: AbortSignal): Promise<void>;
  /**
   * Brings a tunnel up again from its profile, also one that runs, and has it start at boot. It does not wait for a handshake.
   * @throws KiwiError `tunnel-tools-failed`, also when there is no profile of ours, and while an app keeps the tunnel (as `restart` and `enable`)
   */
  start(slug: string, signal?: AbortSignal): Promise<void>;
  down(slug: string | undefined): Promise<void>;
  /** Brings the tunnel up again from its profile, whatever runs. @throws KiwiError `tunnel-tools-failed`, also without a profile */
  restart(slug: string, signal?: AbortSignal): Promise<void>;
  /** Lets it start at boot. */
  enable(slug: string, signal?: AbortSignal): Promise<void>;
  found(): Promise<readonly Found[]>;
  status(slug: string): Promise<TunnelStatus>;
  /** True when an address inside the tunnel answers a ping within `timeoutMs`: the tunnel carries data both ways. */
  probe(address: string, timeoutMs: number, signal?: AbortSignal): Promise<boolean>;
  /**
   * True when packets of this size, IPv4 header included, reach an address inside the tunnel unfragmented and come back. One lost
   * packet is not taken for an answer.
   */
  carries(address: string, bytes: number, signal?: AbortSignal): Promise<boolean>;
  /** Changes the MTU of a running tunnel; in its configuration too, unless it is only for a trial. */
  setMtu(slug: string, mtu: number, trial?: 'trial'): Promise<void>;
  /** The literal endpoints to which these lead now, best first. */
  resolve(endpoints: readonly string[]): Promise<readonly string[]>;
  /** Those of these literal endpoints to which this laptop has a route; none of them without a network. */
  routable(endpoints: readonly string[]): Promise<readonly string[]>;
  /**
   * Sets the endpoint in use again, so that WireGuard forgets the source address that it sent from: after a change of address it
   * would go on with the old one for up to 15 seconds. Sessions stay.
   */
  nudge(slug: string): Promise<void>;
  /**
   * Removes the peer and adds it again as it was: WireGuard then begins a handshake at once, where it would wait 15 seconds (with
   * packets to send) or three minutes (without) until it gives up a session that the peer has forgotten.
   */
  readdPeer(slug: string): Promise<void>;
  /**
   * Lets a running tunnel follow a peer that has moved: resolves the endpoints, lets their addresses race for a handshake, and keeps
   * the first at which the peer answers, in the configuration too. @returns it; undefined when none answers, and everything is as
   * before
   */
  follow(slug: string, endpoints: readonly string[], signal?: AbortSignal): Promise<string | undefined>;
  /** IPv4 networks that the laptop uses otherwise: addresses, routes except the default route, routers. */
  localNetworks(slug: string): Promise<readonly LocalNetwork[]>;
}
