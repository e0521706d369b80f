import { KiwiError } from '../../core/errors.ts';
import type { DoctorReply, ShownOutcome } from '../../local-api/replies.ts';
import { asTyped, hintOf } from '../../terminal/reader.ts';
import { errorFields, printJson } from '../../terminal/report.ts';
import { askLaptop } from './ask-laptop.ts';

export interface DoctorFlags {
  readonly json?: boolean;
  readonly check?: readonly string[];
}

/** `kiwistack-enroll doctor`: exit code 0 when no check found a failure. */
export async function doctorCommand(flags: DoctorFlags, signal: AbortSignal): Promise<number> {
  const found = await askLaptop(
    { verb: 'doctor', ...(flags.check === undefined ? {} : { checks: [...flags.check] }) },
    { signal },
  );
  if (flags.json === true) printJson(resultOf(found));
  else process.stdout.write(`${linesOf(found).map(asTyped).join('\n')}\n`);
  return found.reason?.exitCode ?? 0;
}

function resultOf({ record, outcomes, reason }: DoctorReply): object {
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

function linesOf({ record, outcomes, reason }: DoctorReply): string[] {
  const counts = counted(outcomes);
  const about = record instanceof KiwiError ? [record.message, ''] : [];
  return [...about, ...outcomes.flatMap(checkLines), '', verdict(counts, reason)];
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
  const sums = `${counts.well} checks are well, ${counts['not-well']} are not, ${counts['not-looked-at']} were not looked at, ${counts['not-known']} are not known.`;
  if (reason !== undefined) return `${sums} Begin with: ${reason.message} [${reason.code}]`;
  return counts['not-well'] === 0 ? sums : `${sums} What is not well are warnings.`;
}
