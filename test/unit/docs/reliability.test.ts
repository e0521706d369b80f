import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { RELIABILITY_FILE, renderReliability } from '../../docs/make-reliability.ts';

test('docs/reliability.md is what the list of edges says (node test/docs/make-reliability.ts)', async () => {
  expect(await readFile(RELIABILITY_FILE, 'utf8')).toBe(await renderReliability());
});
