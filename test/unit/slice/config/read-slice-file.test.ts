import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { readSliceFile } from '../../../../src/slice/config/read-slice-file.ts';
import { readSliceConfig } from '../../../../src/slice/config/slice-config.ts';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwi-slice-file-'));
  file = path.join(dir, 'slice.json');
  await writeFile(file, '{}', { mode: 0o600 });
});
afterEach(() => rm(dir, { recursive: true }));

describe('a private file of a slice', () => {
  test('is refused when others may read it, and with the code of a slice', async () => {
    await chmod(file, 0o640);
    await expect(readSliceFile(file, { private: true })).rejects.toMatchObject({ code: 'slice-damaged' });
  });

  test('that is malformed means a damaged slice, one that is missing means no slice', async () => {
    await expect(readSliceConfig(dir)).rejects.toMatchObject({ code: 'slice-damaged' });
    await rm(file);
    await expect(readSliceConfig(dir)).rejects.toMatchObject({ code: 'slice-missing' });
  });
});
