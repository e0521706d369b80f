import path from 'node:path';

import type { Command } from 'commander';

import type { CheckOutcome } from '../../checks/check.ts';
import { EXIT } from '../../core/error-codes.ts';
import { printable } from '../../core/log.ts';
import { examineSlice } from '../../slice/doctor/examine-slice.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { asTyped, hintOf } from '../../terminal/reader.ts';
import { errorFields, printJson } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

interface DoctorFlags extends SliceFlags {
  readonly check?: readonly string[];
}

/** `kiwistack-slice doctor` */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description(
      'Examine the slice and its machine: what each check saw, whether it matters and what to do; changes nothing',
    )
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--check <code...>', 'only these checks, and those that they depend on')
    .option('--json', 'print one line of JSON; fields are added, never removed')
    .action((flags: DoctorFlags) => carryOut(flags.json === true, () => doctorCommand(flags, context)));
}

/** Exit code 0 when no check found a failure; warnings do not count. */
async function doctorCommand(flags: DoctorFlags, context: CommandContext): Promise<number> {
  const outcomes = await examineSlice(path.resolve(flags.dir), context, flags.check);
  const failing = outcomes.some(({ state, severity }) => state === 'not-well' && severity === 'failure');
  if (flags.json === true) {
    const checks = outcomes.map(({ error, ...outcome }) => ({
      ...outcome,
      ...(error === undefined ? {} : { error: errorFields(error) }),
    }));
    printJson({ type: 'result', result: failing ? 'not-well' : 'well', counts: counted(outcomes), checks });
  } else {
    for (const line of [...outcomes.flatMap(linesOf), '', verdict(outcomes, failing)]) {
      process.stdout.write(`${asTyped(printable(line))}\n`);
    }
  }
  return failing ? EXIT.machine : EXIT.done;
}

const SIGN: Readonly<Record<CheckOutcome['state'], string>> = {
  well: '✓',
  'not-well': '✗',
  'not-known': '?',
  'not-looked-at': '-',
};

function linesOf({ code, severity, state, saw, matters, error }: CheckOutcome): string[] {
  if (error === undefined) return [`${SIGN[state]} ${code}: ${state === 'not-known' ? `not known: ${saw}` : saw}`];
  const sign = severity === 'warning' ? '!' : SIGN[state];
  return [`${sign} ${code}: ${saw} [${error.code}]`, `    ${matters}`, `    ${hintOf(error)}`];
}

function counted(outcomes: readonly CheckOutcome[]): Record<CheckOutcome['state'], number> {
  const counts = { well: 0, 'not-well': 0, 'not-known': 0, 'not-looked-at': 0 };
  for (const { state } of outcomes) counts[state]++;
  return counts;
}

const many = (count: number, one: string, more: string): string => `${count} ${count === 1 ? one : more}`;

function verdict(outcomes: readonly CheckOutcome[], failing: boolean): string {
  const counts = counted(outcomes);
  const said = [
    many(counts.well, 'check is well', 'checks are well'),
    ...(counts['not-well'] === 0 ? [] : [many(counts['not-well'], 'is not', 'are not')]),
    ...(counts['not-looked-at'] === 0
      ? []
      : [`${many(counts['not-looked-at'], 'was', 'were')} not looked at because of that`]),
    ...(counts['not-known'] === 0 ? [] : [`${counts['not-known']} could not tell`]),
  ];
  if (failing) return `${said.join(', ')}. Begin with the first line with ✗.`;
  return `${said.join(', ')}. Everything works${counts['not-well'] === 0 ? '.' : '; the lines with ! say what may not stay so.'}`;
}
