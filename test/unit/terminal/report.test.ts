import { afterEach, expect, it, vi } from 'vitest';

import { printJson } from '../../../src/terminal/report.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

it('prints times as whole milliseconds, wherever they are, and other numbers as they are', () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  printJson({ ms: 95.76097599999997, skewMs: -0.6, inner: [{ delayMs: 1.5 }], tries: 2.5 });
  expect(write.mock.calls).toEqual([['{"ms":96,"skewMs":-1,"inner":[{"delayMs":2}],"tries":2.5}\n']]);
});
