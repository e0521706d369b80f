import type { DeviceReport } from '../../protocol/device-report.ts';

/** How far one part is: done, on its way, not to be had. */
export interface Line {
  readonly mark: '✓' | '…' | '✗';
  readonly what: string;
  readonly text: string;
}

type Loss = DeviceReport['loss'][number];

const DOING = {
  lock: ['asks Fleet to lock it', 'Fleet has accepted it, and locks the laptop when it is online', 'locked'],
  wipe: ['asks Fleet to erase it', 'Fleet has accepted it, and erases the laptop when it is online', 'erased'],
  'enroll-secret': ['replaces it in Fleet', '', 'replaced in Fleet'],
  directory: ['disables its entry', '', 'its entry is disabled'],
  'directory-return': ['enables its entry again', '', 'its entry is enabled again'],
  'recovery-key': ['marks it', '', 'marked: if the slice keeps one, it is handed out to two persons only'],
} as const satisfies Record<Exclude<Loss['part'], 'tunnel'>, readonly [string, string, string]>;

/** What has been done about a lost laptop, and what has not; empty for one that was never reported lost. */
export function standOf({ device, certificates, tunnel, duties, loss }: DeviceReport): Line[] {
  if (loss.length === 0) return [];
  return [
    revoked(certificates),
    tunnelLine(tunnel, duties.includes('peer'), device.endReason),
    ...loss.flatMap((part) => (part.part === 'tunnel' ? [] : [lineOf(part, part.part)])),
  ];
}

function revoked(certificates: DeviceReport['certificates']): Line {
  const due = certificates.filter(({ revokeWhy }) => revokeWhy !== null);
  const open = due.filter(({ revokedAt }) => revokedAt === null).length;
  return open === 0
    ? { mark: '✓', what: 'certificates', text: due.length === 0 ? 'none was valid' : `${due.length} revoked` }
    : { mark: '…', what: 'certificates', text: `${open} of ${due.length} wait for step-ca to revoke them` };
}

function tunnelLine(tunnel: DeviceReport['tunnel'], pending: boolean, endReason: string | null): Line {
  const what = 'tunnel';
  const text =
    tunnel === 'none'
      ? 'its peer is gone: the key of the tunnel opens nothing'
      : tunnel === 'fleet-only'
        ? 'reaches nothing but Fleet, until Fleet is done'
        : 'open: the laptop is enrolled again';
  if (endReason !== 'lost' && tunnel !== 'none') return { mark: '✓', what, text };
  return pending
    ? { mark: '…', what, text: 'the endpoint is told within seconds, while the slice runs' }
    : { mark: '✓', what, text };
}

function lineOf({ state, detail }: Loss, part: keyof typeof DOING): Line {
  const [doing, asked, done] = DOING[part];
  const what = part.replace('-', ' ');
  const why = detail === null ? '' : ` (${detail})`;
  switch (state) {
    case 'done':
      return { mark: '✓', what, text: done };
    case 'impossible':
      return { mark: '✗', what, text: `was not done${why}` };
    case 'asked':
      return { mark: '…', what, text: `${asked}${why}` };
    case 'wanted':
      return { mark: '…', what, text: `the slice ${doing}${detail === null ? '' : `; so far: ${detail}`}` };
  }
}
