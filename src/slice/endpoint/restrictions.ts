import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { runChecked } from '../../programs/run-program.ts';
import type { Peer } from './endpoint.ts';
import type { PeerChange } from './peer-changes.ts';
import { renderRestricted, type FleetAddress } from './render-guard.ts';

/** How long the look-up of Fleet's name may delay what else is to be done. */
const LOOKUP_MS = 3000;

/** The peers that reach nothing but Fleet, kept in the slice's packet filter. */
export class Restrictions {
  readonly #tunnel: string;
  readonly #nft: string;
  readonly #where: { readonly host: string; readonly port: number } | undefined;
  #fleet: readonly FleetAddress[] = [];
  /** Their addresses, by public key. */
  #addresses: ReadonlyMap<string, string> = new Map();
  #applied = '';

  constructor(
    options: { readonly interface: string; readonly fleet?: { readonly host: string; readonly port: number } },
    nft: string,
  ) {
    this.#tunnel = options.interface;
    this.#where = options.fleet;
    this.#nft = nft;
  }

  /**
   * Applies changes of peers so that at no time a restricted one reaches more: it is restricted before it is set, and
   * released after it was removed.
   */
  async around(changes: readonly PeerChange[], apply: () => Promise<void>): Promise<void> {
    const next = new Map(this.#addresses);
    for (const { publicKey, peer } of changes) {
      if (peer?.restricted === true) next.set(publicKey, peer.address);
      else next.delete(publicKey);
    }
    await this.#restrict([...this.#addresses.values(), ...next.values()]);
    await apply();
    this.#addresses = next;
    await this.#restrict([...next.values()]);
  }

  /** Looks Fleet up again: it may have moved. */
  async refresh(): Promise<void> {
    if (this.#where === undefined) return;
    const { host, port } = this.#where;
    const found = lookup(host, { family: 4, all: true }).catch(() => undefined);
    const addresses = await Promise.race([found, sleep(LOOKUP_MS, undefined, { ref: false })]);
    // While its name cannot be resolved, it stays where it was.
    if (addresses === undefined) return;
    this.#fleet = addresses.map(({ address }) => ({ address, port }));
    await this.#restrict([...this.#addresses.values()]);
  }

  /** The peers that are not restricted as they should be. */
  differing(peers: readonly Peer[]): PeerChange[] {
    const wanted = new Map(peers.map((peer) => [peer.publicKey, peer]));
    const wrong = [...wanted.values()].filter(
      ({ publicKey, address, restricted }) => this.#addresses.get(publicKey) !== (restricted ? address : undefined),
    );
    const gone = [...this.#addresses.keys()].filter((key) => !wanted.has(key));
    return [...wrong.map((peer) => ({ publicKey: peer.publicKey, peer })), ...gone.map((publicKey) => ({ publicKey }))];
  }

  async #restrict(addresses: readonly string[]): Promise<void> {
    // Most slices have no lost laptop, and their bursts of enrollments start no program for it.
    if (this.#applied === '' && addresses.length === 0) return;
    const text = renderRestricted(this.#tunnel, addresses, this.#fleet);
    if (text === this.#applied) return;
    await runChecked({ program: this.#nft, args: [text] });
    this.#applied = text;
  }
}
