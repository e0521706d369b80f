import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { base64url } from '../../core/bytes.ts';
import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { readGivenFile, unusable } from '../../core/read-given-file.ts';
import { parsePemBundle } from '../../pki/certificate.ts';
import { digestText, text } from '../../protocol/common.ts';
import { packageKey } from '../../protocol/grant.ts';
import { describeIssues } from './describe-issues.ts';
import { readSliceFile } from './read-slice-file.ts';
import { parseConfigFile } from './slice-config.ts';
import { slicePaths } from './slice-paths.ts';

const MAX_BYTES = 64 * 1024;

/** The file given with `--fleet-config F`. File names in it are relative to the folder of F. */
const fleetInput = z.strictObject({
  url: z.url({ protocol: /^https$/ }).max(500),
  serverCaFile: z.string().min(1),
  apiTokenFile: z.string().min(1),
  enrollSecretFile: z.string().min(1),
  packages: z.array(z.strictObject({ key: packageKey, file: z.string().min(1) })).max(6),
});

/**
 * D/fleet.json (0600): contains the secrets themselves, so that the slice does not depend on files elsewhere. Packages
 * stay where they are.
 */
const fleetConfig = z.strictObject({
  url: z.url({ protocol: /^https$/ }).max(500),
  serverCa: z.string().min(1).max(16_384),
  apiToken: text(1000),
  enrollSecret: text(255),
  /** The next one, while Fleet may or may not have it already. */
  nextEnrollSecret: text(255).optional(),
  packages: z
    .array(z.strictObject({ key: packageKey, file: z.string().min(1), sha256: digestText, size: z.int().min(1) }))
    .max(6),
});
export type FleetConfig = z.infer<typeof fleetConfig>;

/**
 * Reads the operator's file and the files that it names.
 * @param option what the file was named with
 * @throws KiwiError `file-unusable`, naming what is wrong
 */
export async function importFleetConfig(file: string, option: string): Promise<FleetConfig> {
  const from = path.dirname(path.resolve(file));
  const input = parseConfigFile(
    fleetInput,
    await readGivenFile(file, { option, maxBytes: MAX_BYTES }),
    file,
    'file-unusable',
  );
  const readText = async (name: string): Promise<string> =>
    (await readGivenFile(path.resolve(from, name), { maxBytes: MAX_BYTES })).toString('utf8').trim();
  const serverCa = `${await readText(input.serverCaFile)}\n`;
  try {
    if (parsePemBundle(serverCa).length === 0) throw new TypeError('no certificate');
  } catch (error) {
    throw unusable(path.resolve(from, input.serverCaFile), 'holds no PEM certificate', { cause: error });
  }
  const packages = await Promise.all(
    input.packages.map(async ({ key, file: name }) => {
      const absolute = path.resolve(from, name);
      return { key, file: absolute, ...(await hashFile(absolute)) };
    }),
  );
  const parsed = fleetConfig.safeParse({
    url: input.url.replace(/\/$/, ''),
    serverCa,
    apiToken: await readText(input.apiTokenFile),
    enrollSecret: await readText(input.enrollSecretFile),
    packages,
  });
  if (!parsed.success) throw unusable(file, describeIssues(parsed.error), { option });
  return parsed.data;
}

export async function writeFleetConfig(dir: string, config: FleetConfig): Promise<void> {
  await writeDurableFile(slicePaths(dir).fleet, `${JSON.stringify(config, null, 2)}\n`, 0o600);
}

/** Undefined while Fleet is not configured: the slice then enrolls no laptop. */
export async function readFleetConfig(dir: string): Promise<FleetConfig | undefined> {
  const file = slicePaths(dir).fleet;
  try {
    return parseConfigFile(fleetConfig, await readSliceFile(file, { private: true }), file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A package's SHA-256 (base64url) and size: computed when it is configured, when `up` checks it, and on the laptop. */
export async function hashFile(file: string): Promise<{ sha256: string; size: number }> {
  try {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    return { sha256: base64url(hash.digest()), size: (await stat(file)).size };
  } catch (error) {
    throw unusable(file, 'cannot be read', { cause: error });
  }
}
