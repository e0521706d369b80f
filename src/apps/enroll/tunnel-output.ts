import type { ShownTunnelCare } from '../../local-api/replies.ts';
import { errorFields } from '../../terminal/report.ts';

/** What was done to the tunnel, for people. */
export function tunnelLines({ mendedBy, followedTo, mtuLoweredTo, mtuRaisedTo }: ShownTunnelCare): string[] {
  const lines: string[] = [];
  if (mtuLoweredTo !== undefined) {
    lines.push(`This network carries only small packets; the tunnel now sends at most ${mtuLoweredTo} bytes.`);
  }
  if (mtuRaisedTo !== undefined) {
    lines.push(`This network carries larger packets again; the tunnel now sends up to ${mtuRaisedTo} bytes.`);
  }
  if (followedTo !== undefined) lines.push(`The slice has moved; the tunnel now uses ${followedTo}.`);
  else if (mendedBy !== undefined) lines.push('The tunnel was silent and works again.');
  return lines;
}

/** The same for programs. */
export function tunnelFields({ error, ...mended }: ShownTunnelCare): object {
  return { ...mended, ...(error === undefined ? {} : { error: errorFields(error) }) };
}
