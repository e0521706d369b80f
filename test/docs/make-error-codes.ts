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
  done: 'success; also when there was nothing to do',
  usage: 'usage error, or the command does not fit what exists',
  person: 'a person must do something: plug in, enter the PIN, touch, decide',
  refused: 'the slice refused, or it failed verification',
  unreachable: 'the slice, the tunnel or Fleet did not answer; try again, or from another network',
  machine: 'this machine is not suitable, or something is missing on it',
  fault: 'internal error, or a system program failed',
  cancelled: 'cancelled; changes were undone, or the output names what was not',
};

/** Renders the whole file, formatted. */
export async function renderErrorCodes(): Promise<string> {
  const entries = Object.entries<ErrorEntry>(ERROR_CODES);
  const wire = entries.filter(([, { http }]) => http !== undefined);
  const local = entries.filter(([, { http }]) => http === undefined);
  const text = `<!-- Made from src/core/error-codes.ts by test/docs/make-error-codes.ts. Change the table there, then run it. -->

# Error codes

Every expected failure has one code. Codes are stable: they are used in logs, in \`--json\` and in the gateway's answers. Messages and hints may change at
any time, so nothing should match on them.

## Exit codes of the commands

| exit code | meaning |
| --- | --- |
${Object.entries(EXIT)
  .map(([kind, code]) => `| ${code} | ${MEANING[kind as ExitKind]} |`)
  .join('\n')}

## Answers of the gateway

[protocol.md](protocol.md#errors) describes the body. _Retryable_ means that the very same bytes may succeed later without anybody doing anything; the
body's \`retryable\` says the same.

${wire.map(item).join('\n')}

## Errors on this side of the wire

${local.map(item).join('\n')}
`;
  const config = await resolveConfig(ERROR_CODES_FILE);
  return format(text, { ...config, parser: 'markdown' });
}

/** One code as an item of a list: messages and hints are too long for the columns of a table. */
function item([code, entry]: readonly [string, ErrorEntry]): string {
  const facts = [
    ...(entry.http === undefined ? [] : [`HTTP ${entry.http}`]),
    `exit code ${EXIT[entry.exit]}`,
    ...(entry.retryable ? ['retryable'] : []),
  ];
  const operator = entry.operatorHint === undefined ? '' : ` For operators: _${entry.operatorHint}_`;
  return `- **\`${code}\`** (${facts.join(', ')}): ${entry.message} _${entry.hint}_${operator}`;
}

if (import.meta.main) await writeFile(ERROR_CODES_FILE, await renderErrorCodes());
