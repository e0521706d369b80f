import type { OperatorRole } from '../../protocol/operator-records.ts';

const RANK: Readonly<Record<OperatorRole, number>> = { read: 0, helpdesk: 1, admin: 2 };

/** Whether an operator of this role may ask for what needs at least that one. */
export const mayAsk = (role: OperatorRole, needed: OperatorRole): boolean => RANK[role] >= RANK[needed];
