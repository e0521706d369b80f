import type { StatusReply } from '../../../local-api/replies.ts';
import type { Notice, ShownStatus, View } from '../view/view.ts';
import { shownError } from './flow.ts';

/** The page for what the agent says about this laptop. */
export function statusView({ enrollment, found }: StatusReply, notice?: Notice): View {
  if (enrollment?.record.state !== 'active') {
    return { page: 'welcome', resumable: enrollment !== undefined || found.length > 0 };
  }
  const { record, certificate, tunnel, slice, links, checks, healthy } = enrollment;
  const status: ShownStatus = {
    customer: record.customer,
    hostName: record.device?.hostName ?? '',
    ...{ healthy, links },
    ...(certificate.notAfter === undefined ? {} : { certificateUntil: certificate.notAfter }),
    ...(certificate.renewal === undefined ? {} : { renewal: certificate.renewal }),
    tunnel: !tunnel.up ? 'down' : tunnel.alive ? 'up' : 'silent',
    ...(tunnel.keeper === undefined ? {} : { keeper: tunnel.keeper.by }),
    fleet: 'error' in slice || slice.fleet === null ? 'unknown' : slice.fleet.online ? 'online' : 'offline',
    checks: checks.map(({ code, severity, state, what, saw, error, fix }) => ({
      ...{ code, severity, state, what, saw, repairable: fix !== undefined },
      ...(error === undefined ? {} : { error: shownError(error) }),
    })),
  };
  return { page: 'status', status, ...(notice === undefined ? {} : { notice }) };
}
