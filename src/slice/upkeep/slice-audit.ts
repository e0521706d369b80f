import { randomUUID } from 'node:crypto';

import type { AuditEntry } from '../registry/registry.ts';

/** What upkeep does about a device, for the audit: nobody has asked for it. */
export function sliceAudit(action: string, deviceId: string, why: string): AuditEntry {
  return { requestId: randomUUID(), actor: 'slice', action, decision: 'allowed', deviceId, why };
}
