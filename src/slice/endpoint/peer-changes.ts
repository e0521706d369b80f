import type { Peer } from './endpoint.ts';

/** What is to happen to one peer: set or, without `peer`, removed. The last change of a key wins. */
export type PeerChange = { readonly publicKey: string; readonly peer?: Peer };

/**
 * Gathers changes while others are being applied, so that a burst of enrollments costs a few programs and not one each. Every
 * caller waits for the run that holds its own change.
 */
export class PeerChanges {
  readonly #apply: (changes: readonly PeerChange[]) => Promise<void>;
  readonly #gatherMs: number;
  #waiting = new Map<string, PeerChange>();
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  /** @param gatherMs how long a run waits for more changes; worth it where each run starts a program */
  constructor(apply: (changes: readonly PeerChange[]) => Promise<void>, gatherMs = 0) {
    this.#apply = apply;
    this.#gatherMs = gatherMs;
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
    if (this.#gatherMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#gatherMs));
    const changes = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#running = this.#apply(changes);
    this.#next = undefined;
    await this.#running;
  }
}
