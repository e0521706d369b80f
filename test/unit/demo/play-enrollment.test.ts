import { spawn, type SpawnOptions } from 'node:child_process';

import { afterEach, expect, it, vi } from 'vitest';

import { playEnrollment } from '../../demo/play-enrollment.ts';
import type { Laptop } from '../../lab/lab.ts';

/** A laptop whose every program prints these lines. */
const laptop = (...lines: readonly string[]): Laptop =>
  ({
    spawn: (_: readonly string[], options: SpawnOptions) =>
      spawn(process.execPath, ['-e', 'console.log(process.argv[1])', lines.join('\n')], options),
  }) as unknown as Laptop;

afterEach(() => {
  vi.restoreAllMocks();
});

it('leaves the only result of --json to the demo', async () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const step = '{"type":"step-done","ms":96}';
  const shown = laptop(step, '{"type":"result","result":"green","ms":3200}');
  expect(await playEnrollment(shown, ['enroll'], { json: true, pin: '123456' })).toEqual({
    code: 0,
    summary: { result: 'green', ms: 3200 },
  });
  expect(write.mock.calls).toEqual([[`${step}\n`]]);
});

it('shows a person everything', async () => {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const shown = laptop('✓ Find the YubiKey', 'ada is enrolled');
  expect(await playEnrollment(shown, ['enroll'], { json: false, pin: '123456' })).toEqual({ code: 0, summary: {} });
  expect(write.mock.calls).toEqual([['✓ Find the YubiKey\n'], ['ada is enrolled\n']]);
});
