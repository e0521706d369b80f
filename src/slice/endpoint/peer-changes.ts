import type { Peer } from './endpoint.ts';

/** A change of one peer: it is set or, without `peer`, removed. The last change for a key wins. */
export type PeerChange = { readonly publicKey: string; readonly peer?: Peer };

/** With this many changes a run starts at once: waiting for more would hardly make each of them cheaper. */
const ENOUGH = 16;

/**
 * Collects changes while others are being applied, so that a burst of enrollments starts a few programs instead of one
 * each. Every caller waits for the run that applies its own change.
 */
export class PeerChanges {
  readonly #apply: (changes: readonly PeerChange[]) => Promise<void>;
  readonly #restMs: number;
  #waiting = new Map<string, PeerChange>();
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  /** By the clock of `performance.now`. */
  #notBefore = 0;
  #runNow: () => void = () => undefined;

  /**
   * @param restMs minimum time between the starts of two runs, unless enough changes are waiting; a single change does
   *   not wait
   */
  constructor(apply: (changes: readonly PeerChange[]) => Promise<void>, restMs = 0) {
    this.#apply = apply;
    this.#restMs = restMs;
  }

  add(change: PeerChange): Promise<void> {
    // Re-inserted, so that changes are applied in the order of their latest version.
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
