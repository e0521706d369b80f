import type { Peer } from './endpoint.ts';

/** What is to happen to one peer: set or, without `peer`, removed. The last change of a key wins. */
export type PeerChange = { readonly publicKey: string; readonly peer?: Peer };

const GATHER_MS = 10;

/**
 * Gathers changes while others are being applied, so that a burst of enrollments costs a few programs and not one each. Every
 * caller waits for the run that holds its own change.
 */
export class PeerChanges {
  readonly #apply: (changes: readonly PeerChange[]) => Promise<void>;
  #waiting = new Map<string, PeerChange>();
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(apply: (changes: readonly PeerChange[]) => Promise<void>) {
    this.#apply = apply;
  }

  add(change: PeerChange): Promise<void> {
    // Re-inserted, so that changes are applied in the order in which they came last.
    this.#waiting.delete(change.publicKey);
    this.#waiting.set(change.publicKey, change);
    this.#next ??= this.#runAfter(this.#running);
    return this.#next;
  }

  async #runAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined);
    // A few milliseconds gather a burst: starting `wg` costs the gateway as much as the rest of an enrollment.
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    const changes = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#running = this.#apply(changes);
    this.#next = undefined;
    await this.#running;
  }
}
