import { Turns } from './turns.ts';

interface Bucket {
  readonly tokens: number;
  readonly at: number;
  /** Of those for whom there was no token. */
  readonly turns: Turns | undefined;
}

/** A token bucket for each client address, in memory. */
export class RateLimit {
  readonly #burst: number;
  readonly #perMs: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: { burst: number; perSecond: number }) {
    this.#burst = options.burst;
    this.#perMs = options.perSecond / 1000;
  }

  /** @param now milliseconds of a monotonic clock */
  take(client: string, now: number): boolean {
    return this.takeOrWait(client, now) === 0;
  }

  /** @returns 0 with a token; without one, after how many milliseconds to come back */
  takeOrWait(client: string, now: number): number {
    const bucket = this.#buckets.get(client) ?? { tokens: this.#burst, at: now, turns: undefined };
    const tokens = Math.min(this.#burst, bucket.tokens + (now - bucket.at) * this.#perMs);
    const taken = tokens >= 1;
    const turns = taken ? bucket.turns : (bucket.turns ?? new Turns(this.#perMs * 1000));
    // Re-inserted, so that the map is ordered by last use.
    this.#buckets.delete(client);
    this.#buckets.set(client, { tokens: taken ? tokens - 1 : tokens, at: now, turns });
    this.#forgetFull(now);
    return taken ? 0 : (turns?.next(now) ?? 0);
  }

  /**
   * A bucket that is full again carries no information and is dropped, so that many addresses do not fill the memory.
   */
  #forgetFull(now: number): void {
    for (const [client, bucket] of this.#buckets) {
      if (bucket.tokens + (now - bucket.at) * this.#perMs < this.#burst) return;
      this.#buckets.delete(client);
    }
  }
}
