/** A laptop as the WireGuard endpoint knows it. */
export interface Peer {
  readonly publicKey: string;
  readonly presharedKey: string;
  /** The one address that it may send from. */
  readonly address: string;
}

/** The slice's end of the tunnels. */
export interface Endpoint {
  /**
   * Takes effect before it resolves. Safe to repeat; an existing peer of this key is changed.
   * @throws KiwiError `endpoint-unavailable`
   */
  setPeer(peer: Peer): Promise<void>;
  /** Safe to repeat, also for a key that is not there. @throws KiwiError `endpoint-unavailable` */
  removePeer(publicKey: string): Promise<void>;
  /** Makes the endpoint have these peers and no others. @throws KiwiError `endpoint-unavailable` */
  reconcile(peers: readonly Peer[]): Promise<void>;
  /** True when the endpoint is up. Never rejects. */
  healthy(): Promise<boolean>;
  /** Takes the endpoint down and puts back what `up` changed. Safe to repeat. */
  stop(): Promise<void>;
}
