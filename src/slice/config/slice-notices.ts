import { confinementFault } from '../../pki/confinement.ts';
import { DAY } from '../../pki/issue.ts';
import type { SliceConfig } from './slice-config.ts';
import { loadIdentity, readPart } from './slice-identity.ts';
import type { SlicePaths } from './slice-paths.ts';
import { webCertificateEnd, webCertificateFault } from './web-certificate-fault.ts';

/** What an operator has to do something about although every part of the slice runs. */
export interface SliceNotice {
  readonly code: 'web-certificate' | 'web-certificate-ends' | 'web-certificate-waits' | 'unconfined';
  /** True when laptops already fail because of it. */
  readonly failing: boolean;
  readonly text: string;
}

/** How long before its end a web certificate is warned of. Public ones are renewed a month before. */
const WARN_MS = 14 * DAY;

/**
 * Looks at the certificates in the slice's folder.
 * @param running the web certificate that a running slice uses, and why it did not take the one in the folder
 */
export async function sliceNotices(
  paths: SlicePaths,
  config: SliceConfig,
  now: Date,
  running?: { readonly certificate: string; readonly refused?: string | undefined },
): Promise<SliceNotice[]> {
  const stored = await readPart(paths.gateway.tlsCertificate);
  const key = await readPart(paths.gateway.tlsKey, true);
  const file = paths.gateway.tlsCertificate;
  const notices: SliceNotice[] = [];
  const waits = running !== undefined && running.certificate !== stored.toString('utf8');
  const storedFault = webCertificateFault({ certificate: stored, key }, config.gateway.url, now);
  const certificate = waits ? Buffer.from(running.certificate) : stored;
  // The running slice keeps the key of its certificate to itself: what can be wrong with that one is its time.
  const fault = waits ? lapsed(certificate, now) : storedFault;
  const end = webCertificateEnd(certificate);
  if (waits) {
    const why = running.refused ?? (storedFault === undefined ? undefined : `it is ${storedFault.why}`);
    const then = why === undefined ? 'Run `kiwistack-slice reload`.' : `It was not taken: ${why}`;
    const text = `The gateway does not use the web certificate in ${file} but an older one. ${then}`;
    notices.push({ code: 'web-certificate-waits', failing: false, text });
  }
  if (fault !== undefined) {
    const text = `No laptop can reach the gateway: the web certificate is ${fault.why} (${file}).`;
    notices.push({ code: 'web-certificate', failing: true, text });
  } else if (end !== undefined && end.getTime() - now.getTime() < WARN_MS) {
    const text = `The web certificate of the gateway ends on ${end.toISOString()} (${file}). Replace it before: \`kiwistack-slice reload --tls-cert FILE --tls-key FILE\`.`;
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

function lapsed(certificate: Buffer, now: Date): { readonly why: string } | undefined {
  const end = webCertificateEnd(certificate);
  return end !== undefined && now > end ? { why: `expired on ${end.toISOString()}` } : undefined;
}
