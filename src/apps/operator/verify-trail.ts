import { KiwiError } from '../../core/errors.ts';
import { parseCertificate } from '../../pki/certificate.ts';
import type { TrailReport } from '../../protocol/operator-records.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { openExport } from '../../slice/operator/open-slice.ts';

/** `exported`: how many of the records are in the export that it was compared with. */
export type VerifiedTrail = TrailReport & { readonly exported?: number };

/**
 * Has the slice verify its audit.
 * @param exported an earlier export, which is verified here: all that the slice needs of it is its seal
 * @throws KiwiError `file-unusable` when the export itself is not whole
 */
export async function verifyTrail(slice: OperatorSlice, exported?: Buffer): Promise<VerifiedTrail> {
  if (exported === undefined) return slice.ask('audit.verify', {});
  const { customer, root } = await slice.ask('slice.about');
  const earlier = await openExport(exported, customer.slug, parseCertificate(Buffer.from(root, 'base64url')));
  const { fault } = earlier.trail;
  if (fault !== undefined) throw new KiwiError('file-unusable', { detail: `the export was changed: ${fault.what}` });
  const report = await slice.ask('audit.verify', { checkpoint: earlier.jws });
  return { ...report, exported: earlier.trail.records };
}
