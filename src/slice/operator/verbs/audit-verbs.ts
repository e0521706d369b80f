import { KiwiError } from '../../../core/errors.ts';
import { openCheckpoint } from '../../audit/checkpoint.ts';
import { exportPage } from '../../audit/export-trail.ts';
import { requireRoleFor } from '../require-role-for.ts';
import type { Handlers, OperatorParts, VerbsOf } from './handlers.ts';

const NOTHING_TO_ACCEPT = 'There is nothing to accept: see `kiwistack-operator audit verify`.';

/** The audit as evidence: whether it is what was recorded. */
/** What was changed in the audit. @throws KiwiError `usage` when nothing was */
export async function findFault(seal: OperatorParts['seal']) {
  const { records, fault } = await seal.verify();
  if (fault === undefined) throw new KiwiError('usage', { detail: 'the audit is whole', hint: NOTHING_TO_ACCEPT });
  return { records, fault };
}

export function auditVerbs({ config, identity, registry, seal, clock }: OperatorParts): Handlers<VerbsOf<'audit'>> {
  const { slug } = config.customer;
  return {
    'audit.list': ({ limit, since }) => registry.listAudit(limit, since),
    async 'audit.verify'({ checkpoint }) {
      const others = checkpoint === undefined ? [] : [openCheckpoint(checkpoint, slug, identity.mspRoot)];
      const { last, ...trail } = await seal.verify(others);
      return {
        records: trail.records,
        sealed: last?.records ?? 0,
        sealedAt: last?.at,
        accepted: last?.accepted.records ?? 0,
        fault: trail.fault,
        acceptedFault: trail.acceptedFault,
      };
    },
    'audit.export': ({ after, until }) => exportPage(seal, registry, after, until),
    async 'audit.accept'({ why }, { audited }) {
      const { records, fault } = await findFault(seal);
      await registry.audit(audited('audit.accept', { why: `${records} records (${fault.what}): ${why}` }), clock.now());
      await seal.accept();
      return {};
    },
  };
}

/** What a person has to look at. */
export function alarmVerbs({ registry, clock }: OperatorParts): Handlers<VerbsOf<'alarm'>> {
  return {
    'alarm.list': () => registry.listAlarms(),
    async 'alarm.acknowledge'({ alarm, why }, { audited, actor }) {
      const open = (await registry.listAlarms()).find(({ id }) => id === alarm);
      if (open === undefined) return { acknowledged: false };
      requireRoleFor(open, actor);
      const entry = audited('alarm.acknowledge', { why: `alarm ${alarm}: ${why}` });
      return { acknowledged: await registry.acknowledgeAlarm(alarm, clock.now(), entry) };
    },
  };
}
