import { InvalidArgumentError, Option } from 'commander';

const MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SPAN = /^(\d{1,4})([mhd])$/u;
/** A day of this machine, or a moment. */
const MOMENT = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)?)?$/u;

/** `--since`: how far back a list goes. */
export function sinceOption(now: () => number = Date.now): Option {
  return new Option('--since <time>', 'only what is newer: 90m, 12h, 7d, 2026-11-27 or 2026-11-27T08:00').argParser(
    (text) => parseSince(text, now()),
  );
}

/** @throws InvalidArgumentError */
export function parseSince(text: string, now: number): Date {
  const [, count, unit] = SPAN.exec(text) ?? [];
  if (count !== undefined) return new Date(now - Number(count) * MS[unit as keyof typeof MS]);
  // Without a time of day, JavaScript takes a date for one of UTC.
  const at = MOMENT.test(text) ? new Date(text.length === 10 ? `${text}T00:00` : text) : undefined;
  if (at === undefined || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('Not a time: 90m, 12h, 7d or 2026-11-27.');
  return at;
}
