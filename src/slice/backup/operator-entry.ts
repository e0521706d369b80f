import { randomUUID } from 'node:crypto';

import type { AuditEntry } from '../registry/registry.ts';

/** The audit record of what an operator did to the slice as a whole. */
export function operatorEntry(action: string, why: string): AuditEntry {
  return { requestId: randomUUID(), actor: 'operator', action, decision: 'allowed', why };
}
