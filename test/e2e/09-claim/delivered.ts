import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { TOKEN_FILE } from '../../../src/apps/enroll/claim-command.ts';
import type { Laptop } from '../../lab/lab.ts';
import type { RunResult } from '../../lab/run-in-room.ts';
import { CLI, type EnrollResult } from '../../world/world.ts';
import type { Customer } from '../01-enrollment/customer.ts';

/** Acme's operator makes the tokens of a delivery, as an OEM's list names its laptops. @returns the folder with the tokens */
export async function makeBatch(
  { world }: Customer,
  name: string,
  laptops: readonly Pick<Laptop, 'dmi'>[],
  /** Of the laptops' TPMs, in their order: certificates of their endorsement keys, DER. */
  endorsements: readonly Buffer[] = [],
): Promise<string> {
  const dir = path.join(world.dir, 'private', `batch-${name}`);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const rows = laptops.map(({ dmi }, at) =>
    [dmi.product_serial, dmi.product_uuid, dmi.product_name, endorsements[at]?.toString('base64') ?? ''].join(),
  );
  const list = path.join(dir, 'laptops.csv');
  await writeFile(list, ['serial,uuid,model,ek_certificate', ...rows, ''].join('\r\n'));
  const tokens = path.join(dir, 'tokens');
  const made = await world.operator([
    ...['batch', 'create', name, '--dir', world.sliceDir, '--list', list],
    ...['--role', 'engineer', '--output', tokens, '--json'],
  ]);
  if (made.code !== 0) throw new Error(made.stdout + made.stderr);
  return tokens;
}

/** What the OEM does: the token is on the disk of its laptop. */
export async function putToken(laptop: Laptop, tokens: string, serial = laptop.dmi.product_serial): Promise<void> {
  const file = laptop.path(TOKEN_FILE);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await copyFile(path.join(tokens, `${serial}.json`), file);
}

export const hasToken = (laptop: Laptop): boolean => existsSync(laptop.path(TOKEN_FILE));

/** What its unit does at the first start. */
export async function claim(
  laptop: Laptop,
  options: { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
): Promise<EnrollResult> {
  const { env = {}, timeoutMs = 120_000 } = options;
  return withEvents(await laptop.run([...CLI, 'claim', '--json'], { env, timeoutMs }));
}

function withEvents(result: RunResult): EnrollResult {
  const events = result.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { ...result, events, result: events.at(-1) ?? {} };
}
