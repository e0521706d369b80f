import type { Command } from 'commander';

import { systemClock } from '../../core/clock.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { openSlice } from '../../slice/operator/open-slice.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printJson } from '../../terminal/report.ts';
import { renderTable, type Row } from './table.ts';

export interface Flags {
  readonly dir: string;
  readonly json?: boolean;
}

/** Adds the options that every operator command has. */
export function onSlice(command: Command): Command {
  return command
    .requiredOption('--dir <folder>', 'folder of the slice')
    .option('--json', 'print one line of JSON; fields are added, never removed');
}

/** So wide is a table that fits where a person reads it; a terminal that is wider may have more. */
const TABLE_WIDTH = 100;

/**
 * A listing as a table, or as one JSON line.
 * @param forPeople the columns of the table, where they are others than the fields of the JSON
 */
export function listing(
  flags: Flags,
  rows: (slice: OperatorSlice) => Promise<Row[]>,
  forPeople: (row: Row) => Row = (row) => row,
): Promise<void> {
  return carryOut(flags.json === true, () =>
    withSlice(flags, async (slice) => {
      const list = await rows(slice);
      if (flags.json === true) printJson({ type: 'result', result: 'list', list });
      else {
        const width = process.stdout.isTTY ? Math.max(TABLE_WIDTH, process.stdout.columns) : TABLE_WIDTH;
        process.stdout.write(renderTable(list.map(forPeople), width));
      }
      return 0;
    }),
  );
}

export async function withSlice<T>(flags: Flags, action: (slice: OperatorSlice) => Promise<T>): Promise<T> {
  const slice = await openSlice(flags.dir, systemClock);
  try {
    return await action(slice);
  } finally {
    await slice.close();
  }
}

export const time = (ms: number): Date => new Date(ms);
