import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { ERROR_CODES } from '../../../src/core/error-codes.ts';
import { ERROR_CODES_FILE, renderErrorCodes } from '../../docs/make-error-codes.ts';

test('docs/error-codes.md is what the table says (node test/docs/make-error-codes.ts)', async () => {
  const text = await readFile(ERROR_CODES_FILE, 'utf8');
  expect(text).toBe(await renderErrorCodes());
  for (const code of Object.keys(ERROR_CODES)) expect(text).toContain(`\`${code}\``);
});
