import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

const CHECK = fileURLToPath(new URL('../../../src/terminal/check-descriptor.ts', import.meta.url));
/** Judges the descriptors 0 to 40, before it opens anything. */
const PROGRAM = `
  import { checkDescriptor } from ${JSON.stringify(CHECK)};
  const judge = (fd) => {
    try {
      checkDescriptor('--pin-fd', fd);
      return 'taken';
    } catch (error) {
      return error.detail;
    }
  };
  const judged = Array.from({ length: 41 }, (_, fd) => judge(fd));
  process.stderr.write(JSON.stringify(judged));
`;

/** What the program says about each descriptor, with these passed on from 3 on. */
async function judged(...passed: ('pipe' | number)[]): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    stdio: ['pipe', 'pipe', 'pipe', ...passed],
  });
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(text.slice(text.indexOf('["'))) as string[];
}

it("takes no descriptor of Node's own for one that was passed on", async () => {
  const said = await judged();
  expect(said[0]).toBe('taken');
  for (const [fd, text] of said.entries()) {
    if (fd > 2)
      expect(text).toMatch(new RegExp(`^--pin-fd ${fd}: this descriptor (?:is not open|was not passed on)$`, 'u'));
  }
  expect(
    said.filter((text) => text.endsWith('was not passed on')).length,
    'Node has some of each kind',
  ).toBeGreaterThan(4);
});

it('takes a pipe and a file that were passed on, and no file that can only be written to', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'descriptor-'));
  const file = path.join(folder, 'pin');
  writeFileSync(file, '123456\n');
  const [read, write] = [openSync(file, 'r'), openSync(file, 'a')];
  try {
    const said = await judged('pipe', read, write);
    expect(said.slice(3, 6)).toEqual(['taken', 'taken', '--pin-fd 5: this descriptor cannot be read from']);
  } finally {
    closeSync(read);
    closeSync(write);
    rmSync(folder, { recursive: true });
  }
});
