import { clientNetwork } from './client-network.ts';
import type { GatewayLimits } from './crowd-limits.ts';
import { RateLimit } from './rate-limit.ts';

/**
 * Which of the events that anybody can cause get a record of their own. Audit records are kept for ever, so a stranger
 * must not be able to write as many as he likes.
 */
export class AuditBudget {
  readonly #ofNetwork: RateLimit;
  readonly #inAll: RateLimit;

  constructor(limits: GatewayLimits['records']) {
    this.#ofNetwork = new RateLimit(limits.ofNetwork);
    this.#inAll = new RateLimit(limits.inAll);
  }

  /** @param now milliseconds of a monotonic clock */
  take(client: string, now: number): boolean {
    // The network first: one that has used up its own share takes nothing from the others.
    return this.#ofNetwork.take(clientNetwork(client), now) && this.#inAll.take('all', now);
  }
}
