import { fstatSync } from 'node:fs';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { KiwiError } from '../../../src/core/errors.ts';
import { stderrIsJournal } from '../../../src/terminal/journal-log.ts';
import { printFor } from '../../../src/terminal/reader.ts';
import { printError, printJson } from '../../../src/terminal/report.ts';

let stderr: string;
beforeEach(() => {
  stderr = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  printFor({ is: 'staff', usesNpx: false });
});

it('prints times as whole milliseconds, wherever they are, and other numbers as they are', () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  printJson({ ms: 95.76097599999997, skewMs: -0.6, inner: [{ delayMs: 1.5 }], tries: 2.5 });
  expect(write.mock.calls).toEqual([['{"ms":96,"skewMs":-1,"inner":[{"delayMs":2}],"tries":2.5}\n']]);
});

it('names the request by which an operator finds the refusal', () => {
  const refused = new KiwiError('device-ended', { requestId: 'r-1' });
  printError(refused);
  expect(stderr).toContain('\nrequest id: r-1 (say this to your operator: it is in the log of the slice)\n');
  printFor({ is: 'operator', usesNpx: false });
  printError(refused);
  expect(stderr).toContain('\nrequest id: r-1\n');
});

it('prints nothing that moves a cursor, whoever said it', () => {
  printError(new KiwiError('program-failed', { detail: 'dpkg: \u001b[2Jexit\u0007\nhint: all is well\u202e' }));

  expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
});

it('gives each line its priority in the journal: a warning for what waits for somebody, else an error', () => {
  printFor({ is: 'staff', usesNpx: false, inJournal: true });
  printError(new KiwiError('gateway-unreachable', { detail: 'one\ntwo' }));
  expect(stderr.split('\n').map((line) => line.slice(0, 3))).toEqual(['<4>', '<4>', '<4>', '<4>', '']);
  stderr = '';
  printError(new KiwiError('program-failed', { detail: 'x'.repeat(100_000) }));
  expect(stderr.split('\n').map((line) => line.slice(0, 3))).toEqual(['<3>', '<3>', '<3>', '']);
  expect(stderr.length).toBeLessThan(5000);
});

it('knows the journal by its socket, not by the variable alone', () => {
  const { dev, ino } = fstatSync(2);
  expect(stderrIsJournal({ JOURNAL_STREAM: `${dev}:${ino}` })).toBe(true);
  expect(stderrIsJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` })).toBe(false);
  expect(stderrIsJournal({})).toBe(false);
});
