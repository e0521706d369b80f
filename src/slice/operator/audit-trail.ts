import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import type { AuditSeal } from '../audit/audit-seal.ts';
import { exportTrail, openExport, requireWhole } from '../audit/export-trail.ts';
import type { TrailFault } from '../audit/walk-trail.ts';
import type { AuditEntry, Registry } from '../registry/registry.ts';

const NOTHING_TO_ACCEPT = 'There is nothing to accept: see `kiwistack-operator audit verify`.';

export interface TrailReport {
  readonly records: number;
  /** How many of them a checkpoint of the gateway seals; the others are newer. */
  readonly sealed: number;
  /** When that checkpoint was made, RFC 3339; undefined when there is none. */
  readonly sealedAt: string | undefined;
  /** So many of the first records an operator has accepted as they are. */
  readonly accepted: number;
  readonly fault: TrailFault | undefined;
  readonly acceptedFault: TrailFault | undefined;
  /** Records in the export that it was compared with. */
  readonly exported: number | undefined;
}

/** The audit as evidence: whether it is what was recorded. */
export interface AuditTrail {
  /**
   * Reads all of it, and compares it with the gateway's last checkpoint and with an earlier export.
   * @throws KiwiError `file-unusable`, `slice-damaged` when the export itself is not whole
   */
  verify(exported?: Buffer): Promise<TrailReport>;
  /** Lines of JSON; see `exportTrail`. @throws KiwiError `slice-damaged` when it was changed */
  export(): AsyncIterable<string>;
  /** Seals a trail that was changed as it is now, and records why. @throws KiwiError `usage` when it is whole */
  accept(why: string): Promise<void>;
}

export interface TrailParts {
  readonly registry: Pick<Registry, 'readAudit' | 'audit'>;
  readonly seal: AuditSeal;
  readonly slug: string;
  readonly root: Certificate;
  readonly now: () => number;
  readonly audited: (action: string, more: Partial<AuditEntry>) => AuditEntry;
}

export function auditTrail({ registry, seal, slug, root, now, audited }: TrailParts): AuditTrail {
  return {
    async verify(exported) {
      const earlier = exported === undefined ? undefined : await openExport(exported, slug, root);
      if (earlier !== undefined) requireWhole(earlier.trail, 'the export');
      const { last, ...trail } = await seal.verify(earlier === undefined ? [] : [earlier.checkpoint]);
      return {
        records: trail.records,
        sealed: last?.records ?? 0,
        sealedAt: last?.at,
        accepted: last?.accepted.records ?? 0,
        fault: trail.fault,
        acceptedFault: trail.acceptedFault,
        exported: earlier?.trail.records,
      };
    },
    export: () => exportTrail(seal, registry),
    async accept(why) {
      const { records, fault } = await seal.verify();
      if (fault === undefined) throw new KiwiError('usage', { detail: 'the audit is whole', hint: NOTHING_TO_ACCEPT });
      await registry.audit(audited('audit.accept', { why: `${records} records (${fault.what}): ${why}` }), now());
      await seal.accept();
    },
  };
}
