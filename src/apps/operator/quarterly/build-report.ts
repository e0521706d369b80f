import type { ConsentRecord, DeviceRecord, TrailReport, YubikeyRecord } from '../../../protocol/operator-records.ts';
import type { Result } from '../../../protocol/operator-verbs.ts';
import type { Quarter } from './quarter.ts';
import type { QuarterlyReport } from './quarterly-report.ts';
import { scoresOf } from './score.ts';

export type AuditRecord = Result<'audit.list'>[number];

/** What the slice said. */
export interface ReportFacts {
  readonly customer: { readonly slug: string; readonly name: string };
  readonly devices: readonly DeviceRecord[];
  readonly yubikeys: readonly YubikeyRecord[];
  readonly consents: readonly ConsentRecord[];
  /** That of the quarter and the day before, oldest first. */
  readonly audit: readonly AuditRecord[];
  /** There were more records than a slice lists at once: the oldest are missing. */
  readonly partial: boolean;
  readonly openAlarms: readonly AuditRecord[];
  readonly trail: TrailReport;
  readonly now: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A device certificate ends after a day. */
const CERTIFICATE = DAY;
/** Those that a laptop is told of, so that it removes its enrollment. */
const TOLD: readonly string[] = ['offboarded', 'churn'];
const MOST_REFUSALS = 10;

/** Sums a quarter up, from what the slice knows now: what ended after the quarter counts as it was then. */
export function buildReport(facts: ReportFacts, quarter: Quarter): QuarterlyReport {
  const { devices, yubikeys, now } = facts;
  const { from } = quarter;
  const to = Math.min(quarter.to, now);
  const within = (at: number | null): at is number => at !== null && at >= from && at < to;
  const before = (at: number | null): at is number => at !== null && at < to;
  const names = new Map(devices.map(({ id, hostName }) => [id, hostName]));
  const nameOf = (id: string | undefined): string => names.get(id ?? '') ?? '';
  const audit = facts.audit.filter(({ at }) => within(at));
  const active = devices.filter(({ confirmedAt, endedAt }) => before(confirmedAt) && !before(endedAt));
  const ended = devices.filter(({ endedAt, confirmedAt }) => within(endedAt) && confirmedAt !== null);
  const keys = yubikeys.filter(({ registeredAt, burnedAt }) => registeredAt < to && !before(burnedAt));
  const last = lastCertificates(facts.audit, to);
  const overdue = active
    .map((device) => ({ device, at: Math.max(last.get(device.id) ?? 0, device.confirmedAt ?? 0) }))
    .filter(({ at }) => to - at > CERTIFICATE)
    .map(({ device, at }) => ({ name: device.hostName, role: device.role, lastAt: iso(at), days: daysOf(to - at) }))
    .sort((one, other) => other.days - one.days);
  const untold = ended
    .filter(({ endReason, toldAt }) => TOLD.includes(endReason ?? '') && !before(toldAt))
    .map(({ hostName, endedAt }) => ({ name: hostName, endedAt: iso(endedAt ?? 0) }));
  const open = facts.openAlarms
    .filter(({ at }) => at < to)
    .map(({ deviceId, at, action, code }) => ({
      name: nameOf(deviceId),
      at: iso(at),
      code: code ?? action,
      days: daysOf(to - at),
    }));
  const parts = {
    devices: {
      active: active.length,
      inTpm: active.filter(({ keyKind }) => keyKind === 'tpm').length,
      enrolled: devices.filter(({ confirmedAt }) => within(confirmedAt)).length,
      ended: counted(ended.map(({ endReason }) => endReason ?? 'unknown')),
      untold,
    },
    losses: lossesIn(audit, facts.audit, devices, to).map(({ id, ...loss }) => ({ name: nameOf(id), ...loss })),
    intermediate: audit
      .filter(({ action, decision }) => action in CHANGES && decision !== 'refused')
      .map(({ at, action, why }) => ({
        at: iso(at),
        what: CHANGES[action as keyof typeof CHANGES],
        why: why ?? '',
      })),
    keys: {
      active: keys.length,
      registered: yubikeys.filter(({ registeredAt }) => within(registeredAt)).length,
      burned: yubikeys
        .filter(({ burnedAt }) => within(burnedAt))
        .map(({ serial, role, burnedAt, burnedWhy }) => ({
          serial,
          role,
          at: iso(burnedAt ?? 0),
          why: burnedWhy ?? '',
        })),
      uncertified: keys.filter(({ certified }) => !certified).length,
    },
    renewals: {
      done: audit.filter(({ action, decision }) => action === 'device.renewals' && decision === 'allowed').length,
      overdue,
    },
    alarms: {
      raised: counted(audit.filter(({ decision }) => decision === 'alarm').map(({ action, code }) => code ?? action)),
      open,
    },
    audit: {
      whole: facts.trail.fault === undefined,
      records: facts.trail.records,
      ...(facts.trail.fault === undefined ? {} : { why: facts.trail.fault.what }),
    },
  };
  const scores = scoresOf({ ...parts, told: ended.filter(({ endReason }) => TOLD.includes(endReason ?? '')).length });
  return {
    customer: facts.customer,
    quarter: quarter.name,
    from: iso(from),
    until: iso(to),
    complete: now >= quarter.to,
    partial: facts.partial,
    madeAt: iso(now),
    scores,
    total: Math.round(scores.reduce((sum, { points }) => sum + points, 0) / scores.length),
    ...parts,
    consents: facts.consents
      .filter(({ createdAt }) => within(createdAt))
      .map(({ hostName, createdAt, operator, why, state }) => ({
        name: hostName,
        at: iso(createdAt),
        operator,
        why,
        state,
      })),
    refusals: Object.entries(
      // What a rehearsal was refused, nobody has wanted.
      counted(
        audit
          .filter(({ decision, action }) => decision === 'refused' && action !== 'verb.rehearse')
          .map(({ code }) => code ?? 'unknown'),
      ),
    )
      .map(([code, count]) => ({ code, count }))
      .sort((one, other) => other.count - one.count)
      .slice(0, MOST_REFUSALS),
  };
}

const CHANGES = {
  'intermediate.replace': 'replaced by one with a new key',
  'intermediate.install': 'renewed, with the same key',
} as const;

/** From the audit, and not from the states of now: a laptop that came back is `superseded` by its next enrollment. */
function lossesIn(
  audit: readonly AuditRecord[],
  all: readonly AuditRecord[],
  devices: readonly DeviceRecord[],
  to: number,
) {
  const first = new Map<string, AuditRecord>();
  for (const record of audit) {
    const { action, decision, deviceId, why = '' } = record;
    const isLoss = action === 'device.lost' || (action === 'device.end' && why.endsWith(': lost'));
    if (isLoss && decision === 'allowed' && deviceId !== undefined && !first.has(deviceId)) first.set(deviceId, record);
  }
  return [...first].map(([id, { at, why = '' }]) => {
    const isErased = all.some(
      (one) => one.deviceId === id && one.action === 'device.wipe' && one.why?.includes(DONE) === true && one.at < to,
    );
    const isBack = devices.some(({ supersedes, confirmedAt }) => supersedes === id && (confirmedAt ?? to) < to);
    const now =
      isErased && isBack
        ? ('erased, and enrolled again' as const)
        : isErased
          ? ('erased' as const)
          : isBack
            ? ('enrolled again' as const)
            : ('lost' as const);
    return { id, at: iso(at), why: why.slice(why.indexOf(': ') + 2), now };
  });
}

/** As the slice records that Fleet has carried it out: settle-losses.ts. */
const DONE = 'Fleet says that it is done';

/** When each device got its last certificate before a moment. */
function lastCertificates(audit: readonly AuditRecord[], to: number): Map<string, number> {
  const renewed = audit.filter(
    ({ action, decision, at }) => action === 'device.renewals' && decision === 'allowed' && at < to,
  );
  return new Map(renewed.map(({ deviceId, at }) => [deviceId ?? '', at]));
}

function counted(words: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([one], [other]) => one.localeCompare(other)));
}

const iso = (at: number): string => new Date(at).toISOString();
const daysOf = (ms: number): number => Math.floor(ms / DAY);
