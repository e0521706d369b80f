import type { OperatorRole } from '../../protocol/operator-records.ts';

const RANK: Readonly<Record<OperatorRole, number>> = { read: 0, helpdesk: 1, admin: 2 };

/** Whether an operator of this role may ask for what needs at least that one. */
export const mayAsk = (role: OperatorRole, needed: OperatorRole): boolean => RANK[role] >= RANK[needed];

/**
 * Who may acknowledge an alarm: of those about laptops whoever deals with laptops; of those about who may do what in this slice only an
 * admin. Otherwise a helpdesk could have what was changed by hand out of the list before an admin has seen it.
 */
export const roleForAlarm = (action: string): OperatorRole =>
  action === 'slice.edited' || action.startsWith('intermediate.') ? 'admin' : 'helpdesk';
