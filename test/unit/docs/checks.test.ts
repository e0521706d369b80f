import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { CHECKS } from '../../../src/laptop/checks/checks.ts';
import { CHECKS_FILE, renderChecks } from '../../docs/make-checks.ts';

test('docs/checks.md is what the list says (node test/docs/make-checks.ts)', async () => {
  const text = await readFile(CHECKS_FILE, 'utf8');
  expect(text).toBe(await renderChecks());
  for (const { code } of CHECKS) expect(text).toContain(`\`${code}\``);
});
