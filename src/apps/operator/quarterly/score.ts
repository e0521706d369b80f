import type { QuarterlyReport, Score } from './quarterly-report.ts';

/** An alarm is for a person to look at; a week is enough for that. */
const PATIENCE_DAYS = 7;
const PER_ALARM = 20;

/**
 * The rule, which docs/operators.md states too. Renewals, keys and leavers are shares of what is as it should be: of active laptops whose certificate
 * is valid, of keys with a certificate of the present intermediate, of offboarded laptops that know it. Where there are none of them, nothing is
 * wrong. Each alarm that nobody has looked at for a week costs 20. An audit that was changed is worth nothing.
 */
export function scoresOf(
  parts: Pick<QuarterlyReport, 'devices' | 'keys' | 'renewals' | 'alarms' | 'audit'> & {
    /** Laptops that were offboarded in the quarter. */
    readonly told: number;
  },
): Score[] {
  const { devices, keys, renewals, alarms, audit, told } = parts;
  const late = alarms.open.filter(({ days }) => days >= PATIENCE_DAYS).length;
  const share = (wrong: number, all: number): number => (all === 0 ? 100 : Math.round(((all - wrong) / all) * 100));
  const overdue = renewals.overdue.length;
  return [
    {
      area: 'renewals',
      points: share(overdue, devices.active),
      from: `${overdue} of ${devices.active} laptops overdue`,
    },
    {
      area: 'keys',
      points: share(keys.uncertified, keys.active),
      from: `${keys.uncertified} of ${keys.active} keys without a valid certificate`,
    },
    {
      area: 'leavers',
      points: share(devices.untold.length, told),
      from: `${devices.untold.length} of ${told} offboarded laptops not told`,
    },
    { area: 'alarms', points: Math.max(0, 100 - PER_ALARM * late), from: `${late} alarms open for a week or longer` },
    { area: 'audit', points: audit.whole ? 100 : 0, from: audit.whole ? 'nothing was changed' : 'it was changed' },
  ];
}
