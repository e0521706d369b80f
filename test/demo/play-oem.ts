import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import path from 'node:path';

import type { Laptop } from '../lab/lab.ts';
import { putToken, writeList } from '../world/delivery.ts';
import { CLI, type World } from '../world/world.ts';
import { letItIn } from './let-it-in.ts';
import { operatorTypes } from './operator-types.ts';

/** From an OEM's list to a laptop that has claimed itself, with nobody in front of it. @returns what a program reads of it */
export async function playOem(
  world: World,
  laptop: Laptop,
  { json, say }: { readonly json: boolean; readonly say: (line: string) => void },
): Promise<object> {
  const folder = path.join(world.dir, 'private', 'delivery');
  const list = await writeList(folder, [laptop]);
  say('\nAn OEM is about to ship a laptop, and sends its list:\n');
  for (const row of (await readFile(list, 'utf8')).trim().split('\r\n')) say(`  ${row}`);
  const began = performance.now();
  const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const tokens = path.join(folder, 'tokens');
  const options = ['--list', list, '--role', 'engineer', '--output', tokens];
  await operatorTypes({ world, say }, ['batch', 'create', '2026-11', ...options]);
  await putToken(laptop, tokens);
  say(
    `\n[${seconds()}] The OEM has put the token into the image. The laptop is shipped, and switched on for the first time:\n`,
  );

  const child = laptop.spawn([...CLI, 'claim', ...(json ? ['--json'] : [])], { stdio: ['ignore', 'pipe', 'pipe'] });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new TypeError('pipes');
  let letIn: Promise<unknown> | undefined;
  let summary: object = {};
  const read = (line: string): void => {
    const { type, ...fields } = (json ? JSON.parse(line) : {}) as { type?: string };
    if (type === 'result') summary = fields;
    else process.stdout.write(`${json ? '' : `[${seconds()}] `}${line}\n`);
    const code = /code (\d{6})/u.exec(line)?.[1];
    // Its TPM is not on the list, so that somebody has to look.
    if (code !== undefined) letIn ??= letItIn({ world, say }, code);
  };
  createInterface({ input: stdout }).on('line', read);
  createInterface({ input: stderr }).on('line', read);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  await letIn;
  if (code !== 0) throw new Error(`the claim ended with ${code}`);
  await operatorTypes({ world, say }, ['batch', 'show', '2026-11']);
  return { scenario: 'oem', claimedMs: performance.now() - began, claim: summary };
}
