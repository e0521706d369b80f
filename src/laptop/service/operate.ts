import { KiwiError } from '../../core/errors.ts';
import type { Reply, StatusReply } from '../../local-api/replies.ts';
import type { Request } from '../../local-api/messages.ts';
import type { CheckOutcome } from '../checks/check.ts';
import { examine } from '../doctor/examine.ts';
import { repair, type RepairEvent } from '../doctor/repair.ts';
import type { EnrollEvent } from '../enrollment/enroll.ts';
import { uninstall } from '../enrollment/uninstall.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { check } from '../upkeep/check.ts';
import { keepTunnelBy, type TunnelEvent } from '../upkeep/keep-tunnel-by.ts';
import { mend } from '../upkeep/mend.ts';
import { renew } from '../upkeep/renew.ts';
import { showStatus, watchStatus } from './show-status.ts';
import { shownRecord } from './shown-record.ts';

/** What asks a person nothing: the agent does it for its callers, and a command that root runs does it directly. */
export type PlainVerb = Exclude<Request['verb'], 'enroll' | 'support-bundle'>;
export type PlainRequest = { [V in PlainVerb]: Omit<Extract<Request, { verb: V }>, 'api'> }[PlainVerb];

/** What a repair is about to look at, and what it does. */
export type DoctorEvent = { readonly type: 'examined'; readonly outcomes: readonly CheckOutcome[] } | RepairEvent;
/** One look of a status that is watched. */
export interface StatusEvent {
  readonly type: 'looked';
  readonly status: StatusReply;
}
type Report = (event: EnrollEvent | DoctorEvent | StatusEvent | TunnelEvent) => void;
type Operations = {
  readonly [V in PlainVerb]: (
    context: LaptopContext,
    request: Extract<PlainRequest, { verb: V }>,
    report: Report,
  ) => Promise<Reply<V>>;
};

const OPERATIONS: Operations = {
  status: (context, { watch }, report) =>
    watch === undefined
      ? showStatus(context)
      : watchStatus(context, (status) => {
          report({ type: 'looked', status });
        }),

  async doctor(context, { checks }) {
    const { record, ...seen } = await examine(context, checks);
    return { ...seen, record: record instanceof KiwiError ? record : shownRecord(record) };
  },

  async check(context, _, report) {
    const { enrollment, ...rest } = await check(context, report);
    if (enrollment === undefined) return rest;
    return { ...rest, enrollment: { ...enrollment, record: shownRecord(enrollment.record) } };
  },

  async renew(context) {
    const { record, renewed } = await renew(context);
    return { record: shownRecord(record), renewed };
  },

  uninstall: (context, _, report) => uninstall(context, report),

  async mend(context, { reason }) {
    const { record, tunnel } = await mend(context, reason);
    return { record: shownRecord(record), tunnel };
  },

  async tunnel(context, { by }, report) {
    const { record, by: keeper } = await keepTunnelBy(context, by, report);
    return { record: shownRecord(record), by: keeper };
  },

  async repair(context, { checks }, report) {
    const before = await examine(context, checks);
    report({ type: 'examined', outcomes: before.outcomes });
    const { repairs, after } = await repair(context, before, report);
    const { record, ...seen } = after;
    return { ...seen, repairs, record: record instanceof KiwiError ? record : shownRecord(record) };
  },
};

/** Does what was asked. @throws KiwiError as the operation does */
export async function operate<V extends PlainVerb>(
  context: LaptopContext,
  request: Extract<PlainRequest, { verb: V }>,
  report: Report,
): Promise<Reply<V>> {
  const operation = OPERATIONS[request.verb];
  return operation(context, request, report);
}
