/**
 * Writes docs/error-codes.md from the table in src/core/error-codes.ts.
 *
 *     node test/docs/make-error-codes.ts
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { format, resolveConfig } from 'prettier';

import { ERROR_CODES, EXIT, type ErrorEntry, type ExitKind } from '../../src/core/error-codes.ts';

export const ERROR_CODES_FILE = path.join(import.meta.dirname, '../../docs/error-codes.md');

const MEANING: Readonly<Record<ExitKind, string>> = {
  done: 'done; also when there was nothing left to do',
  usage: 'the command was not understood, or does not fit what is there',
  person: 'the person must do something: plug in, enter, touch, decide',
  refused: 'the slice, or the laptop’s check of the slice, said no',
  unreachable: 'slice, tunnel or Fleet did not answer properly; try again, or from another network',
  machine: 'this machine does not fit, or lacks something',
  fault: 'a fault of ours or of a program that we use',
  cancelled: 'cancelled; what was begun was undone',
};

/** The whole file, formatted. */
export async function renderErrorCodes(): Promise<string> {
  const entries = Object.entries<ErrorEntry>(ERROR_CODES);
  const wire = entries.filter(([, { http }]) => http !== undefined);
  const local = entries.filter(([, { http }]) => http === undefined);
  const text = `<!-- Made from src/core/error-codes.ts by test/docs/make-error-codes.ts. Change the table there, then run it. -->

# Error codes

Every expected failure has one code. Codes are stable: they are in logs, in \`--json\`, in the gateway's answers. Messages and hints may
change at any time; nobody should match on them.

## Exit codes of the commands

| exit code | meaning |
| --- | --- |
${Object.entries(EXIT)
  .map(([kind, code]) => `| ${code} | ${MEANING[kind as ExitKind]} |`)
  .join('\n')}

## What the gateway answers

The body is described in [protocol.md](protocol.md#errors). "again" means: the very same bytes may succeed later without anybody doing anything
else; the body's \`retryable\` says the same.

| code | HTTP status | again | exit code | message | hint |
| --- | --- | --- | --- | --- | --- |
${wire.map(([code, entry]) => row([`\`${code}\``, entry.http, entry.retryable ? 'yes' : 'no', EXIT[entry.exit], entry.message, entry.hint])).join('\n')}

## What is found on this side of the wire

| code | again | exit code | message | hint |
| --- | --- | --- | --- | --- |
${local.map(([code, entry]) => row([`\`${code}\``, entry.retryable ? 'yes' : 'no', EXIT[entry.exit], entry.message, entry.hint])).join('\n')}
`;
  const config = await resolveConfig(ERROR_CODES_FILE);
  return format(text, { ...config, parser: 'markdown' });
}

function row(cells: readonly (string | number | undefined)[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

if (import.meta.main) await writeFile(ERROR_CODES_FILE, await renderErrorCodes());
