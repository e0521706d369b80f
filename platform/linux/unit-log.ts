import { findProgram, runTool, type LinuxSystem } from './system.ts';

export interface LogRequest {
  /** Of several, the lines are in the order of their times. */
  readonly unit: string | readonly string[];
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  readonly lines: number;
  readonly maxBytes?: number;
  /** `cat` is the text alone, `short-iso` has time and program before it. */
  readonly output?: 'cat' | 'short-iso';
}

/** What units have logged since a moment, newest last; empty where there is no journal or it cannot be read. */
export async function unitLog(
  system: LinuxSystem,
  { unit, sinceMs, lines, maxBytes = 65_536, output = 'cat' }: LogRequest,
): Promise<string> {
  if ((await findProgram(system, 'journalctl')) === undefined) return '';
  const since = `@${Math.floor(sinceMs / 1000)}`;
  const result = await runTool(system, {
    name: 'journalctl',
    args: [
      ...[unit].flat().flatMap((one) => ['--unit', one]),
      '--since',
      since,
      '--no-pager',
      '--output',
      output,
      '--lines',
      String(lines),
    ],
    timeoutMs: 15_000,
    maxOutputBytes: maxBytes,
  });
  return result.code === 0 ? result.stdout.toString() : '';
}
