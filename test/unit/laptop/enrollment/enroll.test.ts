import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { KiwiError } from '../../../../src/core/errors.ts';
import { enroll } from '../../../../src/laptop/enrollment/enroll.ts';
import type { EnrollmentOptions } from '../../../../src/laptop/enrollment/enrollment-run.ts';
import { RecordFile } from '../../../../src/laptop/state/record.ts';
import { enrolledLaptop, type EnrolledLaptop } from '../enrolled-laptop.ts';
import { answerSigned } from '../gateway-client/signed-answers.ts';

let laptop: EnrolledLaptop;
let journal: string;

beforeEach(async () => {
  laptop = await enrolledLaptop();
  // The deregistration that belongs to the undo.
  const ended = { state: 'ended', endReason: 'enrollment-failed', fleet: null } as const;
  laptop.gateway.answer(answerSigned(laptop.slice, { content: ended }));
  journal = path.join(laptop.stateFolder, 'journal.jsonl');
  await new RecordFile(laptop.stateFolder).save({ ...laptop.record, state: 'enrolling' });
});
afterEach(() => laptop.end());

/** Resumes the enrollment, which fails in its first step. */
const resume = (meanwhile: () => void): Promise<unknown> => {
  const preflight = {
    check: () => {
      meanwhile();
      return Promise.reject(new KiwiError('unsupported-system'));
    },
  };
  const platform = { ...laptop.context.platform, preflight };
  const token = { find: () => Promise.reject(new KiwiError('key-absent')), close: () => Promise.resolve() };
  const options = { ...laptop.context, platform, person: {}, openToken: () => Promise.resolve(token) };
  return enroll(options as unknown as EnrollmentOptions, () => undefined);
};

describe('an enrollment that fails', () => {
  it('undoes what its journal names, and leaves neither record nor journal', async () => {
    await expect(resume(() => undefined)).rejects.toMatchObject({ code: 'unsupported-system' });
    expect(laptop.removed).toEqual(expect.arrayContaining(['key and certificate', 'roots', 'tunnel', 'agent']));
    expect(await new RecordFile(laptop.stateFolder).load()).toBeUndefined();
    expect(existsSync(journal)).toBe(false);
  });

  it('keeps record and journal when the journal cannot be read, and claims nothing to be undone', async () => {
    await expect(
      resume(() => {
        rmSync(journal);
        mkdirSync(journal);
      }),
    ).rejects.toBeInstanceOf(Error);
    expect(laptop.removed).toEqual([]);
    expect(await new RecordFile(laptop.stateFolder).load()).toMatchObject({ state: 'enrolling' });
    expect(existsSync(journal)).toBe(true);
  });
});
