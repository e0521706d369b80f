import type { StatusReply } from '../../../local-api/replies.ts';
import type { ShownStatus, View } from '../view/view.ts';

/** The page for what the agent says about this laptop. */
export function statusView({ enrollment, found }: StatusReply): View {
  if (enrollment?.record.state !== 'active') {
    return { page: 'welcome', resumable: enrollment !== undefined || found.length > 0 };
  }
  const { record, certificate, tunnel, slice, checks, healthy } = enrollment;
  const status: ShownStatus = {
    customer: record.customer,
    hostName: record.device?.hostName ?? '',
    healthy,
    ...(certificate.notAfter === undefined ? {} : { certificateUntil: certificate.notAfter }),
    ...(certificate.renewal === undefined ? {} : { renewal: certificate.renewal }),
    tunnel: !tunnel.up ? 'down' : tunnel.alive ? 'up' : 'silent',
    fleet: 'error' in slice || slice.fleet === null ? 'unknown' : slice.fleet.online ? 'online' : 'offline',
    checks: checks.map(({ code, severity, state, what, saw }) => ({ code, severity, state, what, saw })),
  };
  return { page: 'status', status };
}
