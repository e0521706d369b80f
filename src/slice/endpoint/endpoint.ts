/** A laptop's peer at the WireGuard endpoint. */
export interface Peer {
  readonly publicKey: string;
  readonly presharedKey: string;
  /** The only address that it may send from. */
  readonly address: string;
  /** It reaches Fleet and the DNS servers, and nothing else: its laptop is lost. */
  readonly restricted: boolean;
}

/** The slice's end of the tunnels. */
export interface Endpoint {
  /**
   * Takes effect before it resolves. Safe to repeat; an existing peer with this key is changed.
   * @throws KiwiError `endpoint-unavailable`
   */
  setPeer(peer: Peer): Promise<void>;
  /**
   * Safe to repeat, also for an unknown key.
   * @throws KiwiError `endpoint-unavailable`
   */
  removePeer(publicKey: string): Promise<void>;
  /**
   * Gives the endpoint exactly these peers.
   * @throws KiwiError `endpoint-unavailable`
   */
  reconcile(peers: readonly Peer[]): Promise<void>;
  /** True when the endpoint is up. Never rejects. */
  healthy(): Promise<boolean>;
  /** Takes the endpoint down and restores what `up` changed. Safe to repeat. */
  stop(): Promise<void>;
}
