/**
 * Writes docs/checks.md from the list in src/laptop/checks/checks.ts.
 *
 *     node test/docs/make-checks.ts
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { format, resolveConfig } from 'prettier';

import type { Check } from '../../src/laptop/checks/check.ts';
import { CHECKS, SUBJECTS } from '../../src/laptop/checks/checks.ts';

export const CHECKS_FILE = path.join(import.meta.dirname, '../../docs/checks.md');

/** Renders the whole file, formatted. */
export async function renderChecks(): Promise<string> {
  const text = `<!-- Made from src/laptop/checks/checks.ts by test/docs/make-checks.ts. Change the list there, then run it. -->

# Checks

What \`kiwistack-enroll doctor\` looks at: ${CHECKS.length} checks. Codes are stable: they are used in \`--json\` and with \`--check\`. A check is _well_, _not well_ (a
**failure**: the enrollment does not work; or a **warning**: it works, but somebody should know), _not known_ (only root can see it, there is no enrollment or no package, or this system has no
such thing), or _not looked at_, because a check that it depends on is not well.

${SUBJECTS.map(({ title, checks }) => `## ${title}\n\n${checks.map(item).join('\n')}`).join('\n\n')}
`;
  const config = await resolveConfig(CHECKS_FILE);
  return format(text, { ...config, parser: 'markdown' });
}

/** One check as an item of a list: sentences are too long for the columns of a table. */
function item({ code, severity, what, matters, dependsOn }: Check): string {
  const after = dependsOn.length === 0 ? '' : `, after ${dependsOn.map((needed) => `\`${needed}\``).join(', ')}`;
  return `- **\`${code}\`** (${severity}${after}): ${what} Otherwise: _${matters}_`;
}

if (import.meta.main) await writeFile(CHECKS_FILE, await renderChecks());
