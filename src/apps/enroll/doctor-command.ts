import { KiwiError, never } from '../../core/errors.ts';
import { isUnenrolled } from '../../laptop/doctor/examine.ts';
import type { RepairEvent, RepairOutcome } from '../../laptop/doctor/repair.ts';
import type { Event } from '../../local-api/messages.ts';
import type { ShownOutcome } from '../../local-api/replies.ts';
import { asTyped, hintOf } from '../../terminal/reader.ts';
import { errorFields, printJson } from '../../terminal/report.ts';
import { askLaptop } from './ask-laptop.ts';

export interface DoctorFlags {
  readonly json?: boolean;
  readonly check?: readonly string[];
  readonly fix?: boolean;
}

/** What is shown of an examination, wherever it was made. */
interface Found {
  readonly record: { readonly customer: string } | KiwiError;
  readonly outcomes: readonly ShownOutcome[];
  readonly reason?: KiwiError;
}

/**
 * `kiwistack-enroll doctor`: exit code 0 when no check found a failure, or none is left after the repairs; without an enrollment that of
 * `status`.
 */
export async function doctorCommand(flags: DoctorFlags, signal: AbortSignal): Promise<number> {
  const json = flags.json === true;
  const checks = flags.check === undefined ? {} : { checks: [...flags.check] };
  if (flags.fix !== true) {
    const found = await askLaptop({ verb: 'doctor', ...checks }, { signal });
    if (json) printJson(resultOf(found));
    else print(linesOf(found));
    return found.reason?.exitCode ?? 0;
  }
  const onEvent = (event: Event): void => {
    if (event.type === 'examined') {
      if (!json) print(event.outcomes.filter(({ state }) => state === 'not-well').flatMap(checkLines));
    } else if (isRepair(event)) {
      if (json) printJson('error' in event ? { ...event, error: errorFields(event.error) } : event);
      else print([eventLine(event)]);
    }
  };
  const { repairs, ...after } = await askLaptop({ verb: 'repair', ...checks }, { signal, onEvent });
  if (json) printJson({ ...resultOf(after), repairs: repairs.map(repairFields) });
  else print([...(repairs.length === 0 ? ['There is nothing that could be repaired.'] : ['']), ...linesOf(after)]);
  return after.reason?.exitCode ?? 0;
}

function isRepair(event: Event): event is Extract<Event, RepairEvent> {
  return event.type === 'repair-started' || event.type === 'repair-done' || event.type === 'repair-failed';
}

function print(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${asTyped(line)}\n`);
}

function eventLine(event: RepairEvent): string {
  switch (event.type) {
    case 'repair-started':
      return `→ ${event.name}: ${event.does} (for ${event.for.join(', ')})`;
    case 'repair-done':
      return `  ${event.name}: done.`;
    case 'repair-failed':
      return `  ${event.name}: FAILED: ${event.error.message}${event.error.detail === undefined ? '' : ` (${event.error.detail})`} [${event.error.code}]`;
    default:
      return never(event);
  }
}

function repairFields({ error, ...outcome }: RepairOutcome): object {
  return { ...outcome, ...(error === undefined ? {} : { error: errorFields(error) }) };
}

function resultOf({ record, outcomes, reason }: Found): object {
  const enrolled = record instanceof KiwiError ? {} : { customer: record.customer };
  return {
    type: 'result',
    result: reason === undefined ? 'well' : 'not-well',
    ...enrolled,
    counts: counted(outcomes),
    checks: outcomes.map(outcomeFields),
    ...(reason === undefined ? {} : { error: errorFields(reason) }),
  };
}

/** The fields of a check in `--json`. */
export function outcomeFields({ error, ...outcome }: ShownOutcome): object {
  return { ...outcome, ...(error === undefined ? {} : { error: errorFields(error) }) };
}

function counted(outcomes: readonly ShownOutcome[]): Record<ShownOutcome['state'], number> {
  const counts = { well: 0, 'not-well': 0, 'not-known': 0, 'not-looked-at': 0 };
  for (const { state } of outcomes) counts[state]++;
  return counts;
}

function linesOf({ record, outcomes, reason }: Found): string[] {
  const counts = counted(outcomes);
  const about = record instanceof KiwiError ? [record.message, ''] : [];
  if (record instanceof KiwiError && isUnenrolled(record)) return [...about, ...linesUnenrolled(outcomes, reason)];
  return [...about, ...outcomes.flatMap(checkLines), '', verdict(counts, reason)];
}

/** Without an enrollment most checks have nothing to look at, and what is well of the rest helps nobody. */
function linesUnenrolled(outcomes: readonly ShownOutcome[], reason: KiwiError | undefined): string[] {
  const { well, 'not-well': notWell, ...others } = counted(outcomes);
  const rest = others['not-known'] + others['not-looked-at'];
  const hint = reason === undefined ? [] : [`Begin with: ${reason.message} [${reason.code}]`, hintOf(reason)];
  return [
    ...outcomes.filter(({ state }) => state === 'not-well').flatMap(checkLines),
    ...(notWell === 0 ? [] : ['']),
    `Of the laptop itself, ${well} checks are well, ${notWell} are not; ${rest} had nothing to look at. --json has all of them.`,
    ...hint,
  ];
}

const SIGN: Readonly<Record<ShownOutcome['state'], string>> = {
  well: '✓',
  'not-well': '✗',
  'not-known': '?',
  'not-looked-at': '-',
};

function checkLines({ code, severity, state, saw, matters, error, fix }: ShownOutcome): string[] {
  if (error === undefined) return [`${SIGN[state]} ${code}: ${state === 'not-known' ? `not known: ${saw}` : saw}`];
  const sign = severity === 'warning' ? '!' : SIGN[state];
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  return [
    `${sign} ${code}: ${error.message}${detail} [${error.code}]`,
    `    ${matters}`,
    `    ${hintOf(error)}`,
    ...(fix === undefined ? [] : [`    \`kiwistack-enroll doctor --fix\` can mend this (${fix}).`]),
  ];
}

function verdict(counts: Record<ShownOutcome['state'], number>, reason: KiwiError | undefined): string {
  const not = counts['not-well'];
  const said = [
    `${counts.well} checks are well`,
    ...(not === 0 ? [] : [reason === undefined ? `${not} found something to look at` : `${not} are not`]),
    ...(counts['not-looked-at'] === 0 ? [] : [`${counts['not-looked-at']} were not looked at because of those`]),
    ...(counts['not-known'] === 0 ? [] : [`${counts['not-known']} could not tell`]),
  ];
  const sums = `${said.join(', ')}.`;
  if (reason !== undefined) return `${sums} Begin with: ${reason.message} [${reason.code}]`;
  return not === 0
    ? `${sums} Everything works.`
    : `${sums} Everything works; the lines with ! say what may not stay so.`;
}
