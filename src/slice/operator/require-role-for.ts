import { KiwiError } from '../../core/errors.ts';
import { mayAsk, roleForAlarm } from '../decisions/may-ask.ts';
import type { AuditRecord } from '../registry/registry.ts';
import type { Actor } from './verbs/handlers.ts';

/** Whether this operator may acknowledge an alarm. @throws KiwiError `operator-role` */
export function requireRoleFor({ action }: Pick<AuditRecord, 'action'>, { name, role }: Actor): void {
  const needed = roleForAlarm(action);
  if (mayAsk(role, needed)) return;
  throw new KiwiError('operator-role', { detail: `the alarm ${action} needs ${needed}; ${name} is ${role}` });
}
