import { randomUUID } from 'node:crypto';

import { AuditBudget } from '../decisions/audit-budget.ts';
import { clientNetwork } from '../decisions/client-network.ts';
import type { GatewayLimits } from '../decisions/crowd-limits.ts';
import type { AuditEntry } from '../registry/registry.ts';

/** How many networks a summary tells apart, so that many addresses do not fill the memory. */
const NETWORKS = 1000;

/** What was refused to strangers: the first refusals of a network are recorded one by one, the rest as one sum. */
export class RefusalBook {
  readonly #budget: AuditBudget;
  #codes = new Map<string, number>();
  #networks = new Map<string, number>();

  constructor(limits: GatewayLimits['records']) {
    this.#budget = new AuditBudget(limits);
  }

  /** @returns whether this refusal gets its own record; otherwise it is in the next summary */
  take(remote: string, code: string, now: number): boolean {
    if (this.#budget.take(remote, now)) return true;
    this.count(remote, code);
    return false;
  }

  /** For what never gets a record of its own. */
  count(remote: string, code: string): void {
    add(this.#codes, code);
    const network = clientNetwork(remote);
    if (this.#networks.has(network) || this.#networks.size < NETWORKS) add(this.#networks, network);
  }

  /** The sum since the last one; undefined when there is nothing to tell. */
  summary(): AuditEntry | undefined {
    if (this.#codes.size === 0) return undefined;
    const sorted = (counts: Map<string, number>) => [...counts].sort(([, a], [, b]) => b - a);
    const codes = sorted(this.#codes).map(([code, n]) => `${n} ${code}`);
    const [most] = sorted(this.#networks).map(([network, n]) => `${network} (${n})`);
    this.#codes = new Map();
    this.#networks = new Map();
    const why = `not recorded one by one: ${codes.join(', ')}; most from ${most ?? 'unknown'}`;
    return { requestId: randomUUID(), actor: 'slice', action: 'gateway.refusals', decision: 'refused', why };
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
