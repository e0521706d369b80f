import { createInterface } from 'node:readline/promises';

import { KiwiError } from '../../core/errors.ts';

/**
 * Asks for confirmation of something that cannot be undone: the person types the name of what will end.
 * @throws KiwiError `usage` without a terminal and without --yes, `cancelled` when something else was typed
 */
export async function askConfirmation(
  what: string,
  name: string,
  flags: { readonly yes?: boolean; readonly json?: boolean; readonly dryRun?: boolean },
): Promise<void> {
  if (flags.dryRun === true) {
    process.stderr.write(`${what}\n`);
    return;
  }
  if (flags.yes === true) return;
  if (flags.json === true || !process.stdin.isTTY) {
    throw new KiwiError('usage', { detail: 'there is no terminal to ask for confirmation: use --yes' });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    process.stderr.write(`${what}\n`);
    if ((await terminal.question(`Type ${name} to confirm: `)).trim() === name) return;
    throw new KiwiError('cancelled', { detail: 'something else was typed', hint: 'Nothing was changed.' });
  } finally {
    terminal.close();
  }
}
