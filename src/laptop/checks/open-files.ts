import path from 'node:path';

import type { FileFacts } from '../system/inspector.ts';
import type { Platform } from '../system/platform.ts';

export interface OpenFile {
  readonly file: string;
  readonly facts: FileFacts;
  /** What it should be. */
  readonly mode: number;
}

const STATE = [
  'enrollment.json',
  'journal.jsonl',
  'farewell.json',
  'seen.json',
  'releases.json',
  'revoked.pem',
] as const;

/** Files of ours whose owner or mode gives others more than they need. @returns `closed`: how many do not */
export async function openFiles(platform: Platform, slug: string): Promise<{ open: OpenFile[]; closed: number }> {
  const { stateFolder, inspector } = platform;
  const wanted: readonly (readonly [file: string, mode: number])[] = [
    ...(await platform.files(slug)).map((file) => [file, platform.isSecret(file) ? 0o600 : 0o644] as const),
    [stateFolder, 0o700],
    ...STATE.map((name) => [path.join(stateFolder, name), 0o600] as const),
  ];
  const open: OpenFile[] = [];
  let closed = 0;
  for (const [file, mode] of wanted) {
    const facts = await inspector.file(file);
    if (facts === undefined) continue;
    if (facts.uid !== 0 || (facts.mode & 0o777 & ~mode) !== 0) open.push({ file, facts, mode });
    else closed++;
  }
  return { open, closed };
}
