import { createInterface } from 'node:readline';

import type { Laptop } from '../lab/lab.ts';

export interface Played {
  readonly code: number;
  /** The fields of its result with `--json`. */
  readonly summary: object;
}

/**
 * Runs an enrollment as a person would see it, with the PIN on a descriptor; with `json`, as a program would. Its output is
 * printed as it arrives, except its result, which belongs into that of the demo.
 */
export function playEnrollment(
  laptop: Laptop,
  argv: readonly string[],
  options: { readonly json: boolean; readonly pin: string },
): Promise<Played> {
  const flags = ['--pin-fd', '0', ...(options.json ? ['--json'] : [])];
  const child = laptop.spawn([...argv, ...flags], { stdio: ['pipe', 'pipe', 'pipe'] });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new TypeError('pipes');
  stdin.end(`${options.pin}\n`);
  let summary: object = {};
  createInterface({ input: stdout }).on('line', (line) => {
    const { type, ...fields } = (options.json ? JSON.parse(line) : {}) as { type?: string };
    if (type === 'result') summary = fields;
    else process.stdout.write(`${line}\n`);
  });
  createInterface({ input: stderr }).on('line', (line) => process.stdout.write(`${line}\n`));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code: code ?? 1, summary });
    });
  });
}
