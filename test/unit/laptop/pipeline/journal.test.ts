import { appendFile, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Journal, stepsBegun, type JournalEntry } from '../../../../src/laptop/pipeline/journal.ts';

const entry = (step: string, event: JournalEntry['event'] = 'intent'): JournalEntry => ({
  at: '2026-03-01T12:00:00.000Z',
  step,
  event,
});

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-journal-'));
  file = path.join(folder, 'journal');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('a journal', () => {
  it('that is not there is empty', async () => {
    expect(await new Journal(file).read()).toEqual([]);
  });

  it('gives back what was written, in order, also to another run', async () => {
    await new Journal(file).append(entry('a'));
    await new Journal(file).append(entry('a', 'done'));
    expect(await new Journal(file).read()).toEqual([entry('a'), entry('a', 'done')]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('loses to a power cut the line that was being written and no other, before it or behind it', async () => {
    const whole = `${JSON.stringify(entry('a'))}\n`;
    const cut = JSON.stringify(entry('b'));
    for (const length of [1, 20, cut.length]) {
      await writeFile(file, whole + cut.slice(0, length));
      expect(await new Journal(file).read()).toEqual([entry('a')]);
      await new Journal(file).append(entry('c'));
      const read = await new Journal(file).read();
      expect(read.filter(({ step }) => step !== 'b')).toEqual([entry('a'), entry('c')]);
    }
  });

  it('passes over lines that say something else', async () => {
    await new Journal(file).append(entry('a'));
    await appendFile(file, '{"at":"now","step":"b","event":"intent"}\nnull\n\n{}\n');
    await new Journal(file).append(entry('c'));
    expect(await new Journal(file).read()).toEqual([entry('a'), entry('c')]);
  });

  it('does not follow a link that somebody put in its place', async () => {
    const target = path.join(folder, 'passwd');
    await writeFile(target, 'untouched');
    await symlink(target, file);
    await expect(new Journal(file).append(entry('a'))).rejects.toMatchObject({ code: 'ELOOP' });
    expect(await readFile(target, 'utf8')).toBe('untouched');
  });

  it('can be removed twice', async () => {
    await new Journal(file).append(entry('a'));
    await new Journal(file).remove();
    await new Journal(file).remove();
    expect(await new Journal(file).read()).toEqual([]);
  });

  it('says which steps were begun and not undone', () => {
    expect(stepsBegun([])).toEqual([]);
    expect(stepsBegun([entry('a'), entry('a', 'done'), entry('b')])).toEqual(['a', 'b']);
    expect(stepsBegun([entry('a'), entry('b'), entry('a', 'undone')])).toEqual(['b']);
    expect(stepsBegun([entry('a'), entry('a', 'undone'), entry('a')])).toEqual(['a']);
    // A step that was found done counts as this enrollment's.
    expect(stepsBegun([entry('a', 'done')])).toEqual(['a']);
  });

  it('counts a step as begun exactly when its last event is no undo', () => {
    const events = fc.array(
      fc.record({ step: fc.constantFrom('a', 'b', 'c'), event: fc.constantFrom('intent', 'done', 'undone') }),
    );
    fc.assert(
      fc.property(events, (list) => {
        const entries = list.map(({ step, event }) => entry(step, event));
        for (const step of ['a', 'b', 'c']) {
          const last = entries.findLast((item) => item.step === step);
          expect(stepsBegun(entries).includes(step)).toBe(last !== undefined && last.event !== 'undone');
        }
      }),
    );
  });
});
