import { confinementFault } from '../../pki/confinement.ts';
import { DAY } from '../../pki/issue.ts';
import type { SliceConfig } from './slice-config.ts';
import { loadIdentity, readPart } from './slice-identity.ts';
import type { SlicePaths } from './slice-paths.ts';
import { webCertificateEnd, webCertificateFault } from './web-certificate-fault.ts';

/** What an operator has to do something about although every part of the slice runs. */
export interface SliceNotice {
  readonly code: 'web-certificate' | 'web-certificate-ends' | 'unconfined';
  /** True when laptops already fail because of it. */
  readonly failing: boolean;
  readonly text: string;
}

/** How long before its end a web certificate is warned of. Public ones are renewed a month before. */
const WARN_MS = 14 * DAY;

/** Looks at the certificates in the slice's folder; what a running slice holds in memory was read at its start. */
export async function sliceNotices(paths: SlicePaths, config: SliceConfig, now: Date): Promise<SliceNotice[]> {
  const certificate = await readPart(paths.gateway.tlsCertificate);
  const key = await readPart(paths.gateway.tlsKey, true);
  const notices: SliceNotice[] = [];
  const fault = webCertificateFault({ certificate, key }, config.gateway.url, now);
  const end = webCertificateEnd(certificate);
  const file = paths.gateway.tlsCertificate;
  if (fault !== undefined) {
    const text = `No laptop can reach the gateway: the web certificate is ${fault.why} (${file}).`;
    notices.push({ code: 'web-certificate', failing: true, text });
  } else if (end !== undefined && end.getTime() - now.getTime() < WARN_MS) {
    const text = `The web certificate of the gateway ends on ${end.toISOString()} (${file}). Replace it before, and restart the slice.`;
    notices.push({ code: 'web-certificate-ends', failing: false, text });
  }
  const { intermediate } = await loadIdentity(paths);
  const unconfined = confinementFault(intermediate);
  if (unconfined !== undefined) {
    const text = `No further laptop can enroll: the intermediate may speak for every website (${unconfined}). See \`kiwistack-slice intermediate request --help\`.`;
    notices.push({ code: 'unconfined', failing: false, text });
  }
  return notices;
}
