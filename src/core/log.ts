/** The levels of syslog (RFC 5424, section 6.2.1) that our services use. */
export type LogLevel = 'error' | 'warning' | 'info';

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * What a service tells whoever reads its log later: events with named fields, one line each. Nothing secret is a field, and no
 * text of anybody else: a field is a code, an id, a number, a time, or the name of something of ours.
 */
export interface Log {
  write(level: LogLevel, event: string, fields?: LogFields): void;
}

const MAX_VALUE = 300;
const MAX_LINE = 2000;

/** For programs whose output nobody keeps. */
export const NO_LOG: Log = { write: () => undefined };

/**
 * One line of the log: `event name=value name=value`. A value that is not a plain token stands in quotes, with everything that
 * is not printable ASCII as `\uXXXX`: no value can begin a line of its own, look like another field, or move a cursor.
 */
export function logLine(event: string, fields: LogFields = {}): string {
  const said = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${valueText(String(value))}`],
  );
  return [event, ...said].join(' ').slice(0, MAX_LINE);
}

function valueText(value: string): string {
  const text = value.slice(0, MAX_VALUE);
  return /^[\w.:/@+-]+$/.test(text) ? text : asciiJson(text);
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (unit) => `\\u${(unit.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** A text as it may be shown on a terminal or in a log: what could move a cursor or begin another line becomes a blank. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ');
}
