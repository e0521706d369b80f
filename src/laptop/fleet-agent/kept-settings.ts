import { z } from 'zod';

import { ignoreMissing } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import type { AgentSettings } from '../system/fleet-agent.ts';

const MAX_BYTES = 64 * 1024;

/** What is kept of the settings beside the secret, so that a package that comes later, or again, gets the same. */
const schema = z.strictObject({
  writtenBy: z.literal('kiwistack-enroll'),
  url: z.url({ protocol: /^https$/u }).max(300),
  enableScripts: z.boolean(),
  disableUpdates: z.boolean(),
});
export type KeptSettings = z.infer<typeof schema>;

export function renderKeptSettings({ url, enableScripts, disableUpdates }: AgentSettings): string {
  const kept: KeptSettings = { writtenBy: 'kiwistack-enroll', url, enableScripts, disableUpdates };
  return `${JSON.stringify(schema.parse(kept), undefined, 2)}\n`;
}

/** @returns undefined when there is no such file @throws KiwiError `state-damaged` */
export async function readKeptSettings(file: string): Promise<KeptSettings | undefined> {
  const bytes = await readCappedFile(file, { maxBytes: MAX_BYTES }).catch(ignoreMissing);
  if (bytes === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(bytes.toString()));
  } catch (error) {
    throw new KiwiError('state-damaged', { detail: file, cause: error });
  }
}
