import type { QuarterlyReport } from './quarterly-report.ts';

/** A part of the report as people read it, whatever the format. */
export interface Section {
  readonly title: string;
  /** Sentences. */
  readonly lines: readonly string[];
  readonly table?: {
    readonly caption: string;
    readonly columns: readonly string[];
    readonly rows: readonly (readonly (string | number)[])[];
  };
}

const day = (timestamp: string): string => timestamp.slice(0, 10);
const many = (count: number, one: string, more = `${one}s`): string => `${count} ${count === 1 ? one : more}`;

export function titleOf({ customer, quarter }: QuarterlyReport): string {
  return `${customer.name}: quarterly report ${quarter}`;
}

/** What the report says, in the order in which it is read. */
export function sectionsOf(report: QuarterlyReport): readonly Section[] {
  const { devices, losses, intermediate, keys, renewals, consents, alarms, refusals, audit, scores, total } = report;
  const table = (caption: string, columns: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
    rows.length === 0 ? {} : { table: { caption, columns, rows } };
  return [
    {
      title: 'Summary',
      lines: [
        `From ${day(report.from)} until ${report.until.replace('T', ' ').slice(0, 16)} UTC${report.complete ? '' : '; the quarter is not over'}.`,
        `Total: ${total} of 100.`,
        ...(report.partial
          ? ['The audit has too many records: renewals, alarms and refusals of the first weeks are not counted.']
          : []),
      ],
      ...table(
        'Scores',
        ['Area', 'Points', 'From'],
        scores.map(({ area, points, from }) => [area, points, from]),
      ),
    },
    {
      title: 'Laptops',
      lines: [
        `${many(devices.active, 'laptop is', 'laptops are')} enrolled, ${devices.inTpm} of them with a key proven to be in a TPM.`,
        `${many(devices.enrolled, 'laptop')} enrolled in the quarter.`,
        ...(devices.untold.length === 0
          ? []
          : [`${many(devices.untold.length, 'offboarded laptop does', 'offboarded laptops do')} not know it yet.`]),
      ],
      ...table('Laptops that ended, by reason', ['Reason', 'Laptops'], Object.entries(devices.ended)),
    },
    {
      title: 'Lost laptops',
      lines: [`${many(losses.length, 'laptop was', 'laptops were')} reported lost.`],
      ...table(
        'Laptops that were reported lost',
        ['Laptop', 'Day', 'Why', 'Now'],
        losses.map(({ name, at, why, now }) => [name, day(at), why, now]),
      ),
    },
    {
      title: 'YubiKeys',
      lines: [
        `${many(keys.active, 'key')} in use, ${keys.registered} registered in the quarter, ${keys.uncertified} without a valid certificate.`,
      ],
      ...table(
        'Burned keys',
        ['Serial', 'Role', 'Day', 'Why'],
        keys.burned.map(({ serial, role, at, why }) => [serial, role, day(at), why]),
      ),
    },
    {
      title: 'Certificate authority',
      lines: intermediate.length === 0 ? ['The intermediate was not changed.'] : [],
      ...table(
        'Changes of the intermediate',
        ['Day', 'What', 'Why'],
        intermediate.map(({ at, what, why }) => [day(at), what, why]),
      ),
    },
    {
      title: 'Renewals',
      lines: [
        `${many(renewals.done, 'certificate was', 'certificates were')} renewed. ${many(renewals.overdue.length, 'laptop is', 'laptops are')} overdue.`,
      ],
      ...table(
        'Laptops whose certificate has ended',
        ['Laptop', 'Role', 'Last certificate', 'Days'],
        renewals.overdue.map(({ name, role, lastAt, days }) => [name, role, day(lastAt), days]),
      ),
    },
    {
      title: 'Consents',
      lines: [`${many(consents.length, 'consent')} to enroll once more.`],
      ...table(
        'Consents',
        ['Laptop', 'Day', 'Operator', 'Why', 'State'],
        consents.map(({ name, at, operator, why, state }) => [name, day(at), operator, why, state]),
      ),
    },
    {
      title: 'Alarms',
      lines: [
        Object.keys(alarms.raised).length === 0
          ? 'None was raised.'
          : `Raised: ${Object.entries(alarms.raised)
              .map(([code, count]) => `${code} ${count}`)
              .join(', ')}.`,
        `${many(alarms.open.length, 'alarm is', 'alarms are')} open.`,
      ],
      ...table(
        'Open alarms',
        ['Laptop', 'Day', 'Alarm', 'Days open'],
        alarms.open.map(({ name, at, code, days }) => [name, day(at), code, days]),
      ),
    },
    {
      title: 'Refusals',
      lines: refusals.length === 0 ? ['Nothing was refused.'] : [],
      ...table(
        'The most frequent refusals',
        ['Code', 'Times'],
        refusals.map(({ code, count }) => [code, count]),
      ),
    },
    {
      title: 'Audit',
      lines: [
        audit.whole
          ? `All ${audit.records} records are as they were written.`
          : `The audit was changed: ${audit.why ?? ''}.`,
      ],
    },
  ];
}
