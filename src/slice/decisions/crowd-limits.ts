/** How many of something may be open at once that a client gets without proving anything. */
export interface CrowdLimits {
  /** Of one client address. A whole office may share one. */
  readonly perRemote: number;
  /** Of one network (`clientNetwork`). */
  readonly perNetwork: number;
  /** Of all clients. Beyond it, each network still gets `few`, until twice as many are open. */
  readonly total: number;
  readonly few: number;
}

export interface Crowd {
  readonly inAll: number;
  readonly ofNetwork: number;
  readonly ofRemote: number;
}

/**
 * Why one more may not be opened; undefined when it may. Whoever opens all that he can locks out himself and his
 * network: to lock out others, he needs clients in thousands of networks.
 */
export function crowded(open: Crowd, limits: CrowdLimits): string | undefined {
  if (open.ofRemote >= limits.perRemote) return 'of this address';
  if (open.ofNetwork >= limits.perNetwork) return 'of this network';
  if (open.inAll >= limits.total && (open.ofNetwork >= limits.few || open.inAll >= 2 * limits.total)) return 'in all';
  return undefined;
}

/** What the gateway allows one client, one network and all, in proportion to the requests that it allows one address. */
export interface GatewayLimits {
  readonly networkRequests: { readonly burst: number; readonly perSecond: number };
  readonly sessions: CrowdLimits;
  readonly connections: CrowdLimits;
  /** Of connections whose TLS handshake is not over: one takes a millisecond when there are few. */
  readonly handshakes: CrowdLimits;
  /** Refusals and hellos that get an audit record of their own. */
  readonly records: Record<'ofNetwork' | 'inAll', { readonly burst: number; readonly perSecond: number }>;
}

/**
 * With the default of 120 requests and 20 per second for an address: 480 unfinished enrollments of an address at a time,
 * 960 of a network; 240 and 480 connections, of which 64 and 128 in their TLS handshake; 120 records of a network and 6 a minute, 480 and 24 a minute in all. An
 * enrollment makes about ten requests over one or two connections, so an office behind one address enrolls about a
 * hundred laptops a minute.
 */
export function gatewayLimits({ burst, perSecond }: { burst: number; perSecond: number }): GatewayLimits {
  const times = (n: number, per = 1) => ({ burst: n * burst, perSecond: (n * perSecond) / per });
  return {
    networkRequests: times(4),
    sessions: { perRemote: 4 * burst, perNetwork: 8 * burst, total: 20_000, few: 16 },
    connections: { perRemote: 2 * burst, perNetwork: 4 * burst, total: 4000, few: 8 },
    handshakes: { perRemote: 64, perNetwork: 128, total: 256, few: 8 },
    records: { ofNetwork: times(1, 200), inAll: times(4, 200) },
  };
}
