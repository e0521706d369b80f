import { appendFile, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Journal, stepsBegun, type JournalEntry, type PlanName } from '../../../../src/laptop/pipeline/journal.ts';

const entry = (step: string, event: JournalEntry['event'] = 'intent'): JournalEntry => ({
  at: '2026-03-01T12:00:00.000Z',
  step,
  event,
});

const PLAN: PlanName = { name: 'test', version: 2 };
const open = (plan = PLAN): Journal => new Journal(file, plan);

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
    expect(await open().read()).toEqual([]);
  });

  it('gives back what was written, in order, also to another run', async () => {
    await open().append(entry('a'));
    await open().append(entry('a', 'done'));
    expect(await open().read()).toEqual([entry('a'), entry('a', 'done')]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('loses to a power cut the line that was being written and no other, before it or behind it', async () => {
    const whole = `{"plan":"test","version":2}\n${JSON.stringify(entry('a'))}\n`;
    const cut = JSON.stringify(entry('b'));
    for (const length of [1, 20, cut.length]) {
      await writeFile(file, whole + cut.slice(0, length));
      expect(await open().read()).toEqual([entry('a')]);
      await open().append(entry('c'));
      const read = await open().read();
      expect(read.filter(({ step }) => step !== 'b')).toEqual([entry('a'), entry('c')]);
    }
  });

  it('passes over lines that say something else', async () => {
    await open().append(entry('a'));
    await appendFile(file, '{"at":"now","step":"b","event":"intent"}\nnull\n\n{}\n');
    await open().append(entry('c'));
    expect(await open().read()).toEqual([entry('a'), entry('c')]);
  });

  it('does not follow a link in its place', async () => {
    const target = path.join(folder, 'passwd');
    await writeFile(target, 'untouched');
    await symlink(target, file);
    await expect(open().append(entry('a'))).rejects.toMatchObject({ code: 'ELOOP' });
    expect(await readFile(target, 'utf8')).toBe('untouched');
  });

  it('can be removed twice', async () => {
    await open().append(entry('a'));
    await open().remove();
    await open().remove();
    expect(await open().read()).toEqual([]);
  });

  it('names its plan, also when a power cut left half of the name', async () => {
    const name = '{"plan":"test","version":2}';
    for (const cut of ['', '{', name]) {
      await writeFile(file, cut);
      await open().append(entry('a'));
      expect((await readFile(file, 'utf8')).split('\n')).toContain(name);
      expect(await open().read()).toEqual([entry('a')]);
    }
  });

  it('of another plan, or of a newer version of this one, is refused and left as it is', async () => {
    await open().append(entry('a', 'done'));
    const before = await readFile(file, 'utf8');
    for (const plan of [
      { name: 'another', version: 2 },
      { name: 'test', version: 1 },
    ]) {
      await expect(open(plan).read()).rejects.toMatchObject({ code: 'other-plan-begun', detail: 'test, version 2' });
      await expect(open(plan).append(entry('b'))).rejects.toMatchObject({ code: 'other-plan-begun' });
    }
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await open({ name: 'test', version: 3 }).read()).toEqual([entry('a', 'done')]);
  });

  it('without a name belongs to the plan that once wrote such, and to no other', async () => {
    await writeFile(file, `${JSON.stringify(entry('a'))}\n`);
    await expect(open().read()).rejects.toMatchObject({ code: 'other-plan-begun' });
    const old = open({ ...PLAN, wroteUnnamed: true });
    await old.append(entry('a', 'done'));
    expect(await old.read()).toEqual([entry('a'), entry('a', 'done')]);
  });

  it('takes nothing that it could not give back', async () => {
    await expect(open().append({ ...entry('a', 'waiting'), for: 'x'.repeat(201) })).rejects.toThrow();
    expect(await open().read()).toEqual([]);
  });

  it('tells which steps were begun and not undone', () => {
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
