import { Option, type Command } from 'commander';

import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { remoteSlice } from '../../operator-client/remote-slice.ts';
import { SignInStore } from '../../operator-client/sign-in-store.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { openSlice } from '../../slice/operator/open-slice.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printJson } from '../../terminal/report.ts';
import { guardedSlice, type GuardFlags } from './guarded-slice.ts';
import { renderCsv } from './render-csv.ts';
import { renderTable, type Row } from './table.ts';

export interface Flags extends GuardFlags {
  readonly dir?: string;
  readonly gateway?: string;
}

/** Adds the options that every operator command has. */
export function onSlice(command: Command): Command {
  return command
    .option('--dir <folder>', 'folder of the slice, on its own machine')
    .option('--gateway <url>', 'a slice that you are signed in to; default: the one of your last sign-in')
    .option('--json', 'print one line of JSON; fields are added, never removed');
}

/** The same for a command that lists. */
export function onList(command: Command): Command {
  return onSlice(command).addOption(new Option('--csv', 'print CSV, with the fields of the JSON').conflicts('json'));
}

/** So wide is a table that fits where a person reads it; a terminal that is wider may have more. */
const TABLE_WIDTH = 100;

/**
 * A listing as a table, as CSV, or as one JSON line.
 * @param forPeople the columns of the table, where they are others than the fields of the JSON
 */
export function listing(
  flags: Flags & { readonly csv?: boolean },
  rows: (slice: OperatorSlice) => Promise<Row[]>,
  forPeople: (row: Row) => Row = (row) => row,
): Promise<void> {
  return carryOut(flags.json === true, () =>
    withSlice(flags, async (slice) => {
      const list = await rows(slice);
      if (flags.json === true) printJson({ type: 'result', result: 'list', list });
      else if (flags.csv === true) process.stdout.write(renderCsv(list));
      else {
        const width = process.stdout.isTTY ? Math.max(TABLE_WIDTH, process.stdout.columns) : TABLE_WIDTH;
        process.stdout.write(renderTable(list.map(forPeople), width));
      }
      return 0;
    }),
  );
}

export async function withSlice<T>(flags: Flags, action: (slice: OperatorSlice) => Promise<T>): Promise<T> {
  const slice = await openGiven(flags);
  try {
    return await action(slice);
  } finally {
    await slice.close();
  }
}

/** The slice in a folder, or the one that somebody is signed in to. @throws KiwiError `usage`, `sign-in-needed` */
export async function openGiven(flags: Flags): Promise<OperatorSlice> {
  const { dir, gateway } = flags;
  if (dir !== undefined && gateway !== undefined) {
    throw new KiwiError('usage', { detail: '--dir and --gateway name two slices: give one of them' });
  }
  if (dir !== undefined) return guardedSlice(await openSlice(dir, systemClock), flags);
  return guardedSlice(remoteSlice(await new SignInStore().find(originOf(gateway)), systemClock), flags);
}

/** As sign-ins are kept. @throws KiwiError `usage` */
export function originOf(gateway: string): string;
export function originOf(gateway: string | undefined): string | undefined;
export function originOf(gateway: string | undefined): string | undefined {
  if (gateway === undefined) return undefined;
  const url = URL.parse(gateway);
  if (url?.protocol === 'https:' && url.pathname === '/') return url.origin;
  throw new KiwiError('usage', { detail: '--gateway: an https URL without a path, such as https://10.77.0.1:9444' });
}

export const time = (ms: number): Date => new Date(ms);
