import type { Peer } from './endpoint.ts';

/** What is to happen to one peer: set or, without `peer`, removed. The last change of a key wins. */
export type PeerChange = { readonly publicKey: string; readonly peer?: Peer };

/** So many changes are worth a run: more together cost hardly less each. */
const ENOUGH = 16;

/**
 * Gathers changes while others are being applied, so that a burst of enrollments costs a few programs and not one each. Every
 * caller waits for the run that holds its own change.
 */
export class PeerChanges {
  readonly #apply: (changes: readonly PeerChange[]) => Promise<void>;
  readonly #restMs: number;
  #waiting = new Map<string, PeerChange>();
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  /** On the clock of `performance.now`. */
  #notBefore = 0;
  #runNow: () => void = () => undefined;

  /** @param restMs from the start of a run to the start of the next, unless enough wait: a change that comes alone waits for nothing */
  constructor(apply: (changes: readonly PeerChange[]) => Promise<void>, restMs = 0) {
    this.#apply = apply;
    this.#restMs = restMs;
  }

  add(change: PeerChange): Promise<void> {
    // Re-inserted, so that changes are applied in the order in which they came last.
    this.#waiting.delete(change.publicKey);
    this.#waiting.set(change.publicKey, change);
    if (this.#waiting.size >= ENOUGH) this.#runNow();
    this.#next ??= this.#runAfter(this.#running);
    return this.#next;
  }

  async #runAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined);
    const wait = this.#notBefore - performance.now();
    if (wait > 0 && this.#waiting.size < ENOUGH) await this.#gather(wait);
    this.#notBefore = performance.now() + this.#restMs;
    const changes = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#running = this.#apply(changes);
    this.#next = undefined;
    await this.#running;
  }

  #gather(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#runNow = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
