/** A token bucket for each client address, in memory. */
export class RateLimit {
  readonly #burst: number;
  readonly #perMs: number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(options: { burst: number; perSecond: number }) {
    this.#burst = options.burst;
    this.#perMs = options.perSecond / 1000;
  }

  /** @param now milliseconds of a monotonic clock */
  take(client: string, now: number): boolean {
    const bucket = this.#buckets.get(client) ?? { tokens: this.#burst, at: now };
    const tokens = Math.min(this.#burst, bucket.tokens + (now - bucket.at) * this.#perMs);
    // Re-inserted, so that the map is ordered by last use.
    this.#buckets.delete(client);
    this.#buckets.set(client, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    this.#forgetFull(now);
    return tokens >= 1;
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
