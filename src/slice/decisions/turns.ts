/** Nobody is told to come back later than this; beyond, the turns begin from the start again. */
const LONGEST_MS = 300_000;

/**
 * When those who were put off come back: each gets the next free turn, so that a crowd comes back one after the other. A turn is
 * no reservation: whoever is too late or meets another crowd gets another one.
 */
export class Turns {
  readonly #eachMs: number;
  #last = -Infinity;

  constructor(perSecond: number) {
    this.#eachMs = 1000 / perSecond;
  }

  /** @param now milliseconds of a monotonic clock @returns milliseconds from now */
  next(now: number): number {
    const turn = Math.max(this.#last, now) + this.#eachMs;
    this.#last = turn - now > LONGEST_MS ? now + this.#eachMs : turn;
    return this.#last - now;
  }
}
