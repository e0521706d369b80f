import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { base64url } from '../../core/bytes.ts';
import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readCappedFile } from '../../core/read-capped-file.ts';
import { parsePemBundle } from '../../pki/certificate.ts';
import { digestText, text } from '../../protocol/common.ts';
import { packageKey } from '../../protocol/grant.ts';
import { readSliceFile } from './read-slice-file.ts';
import { parseConfigFile } from './slice-config.ts';
import { slicePaths } from './slice-paths.ts';

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
  packages: z
    .array(z.strictObject({ key: packageKey, file: z.string().min(1), sha256: digestText, size: z.int().min(1) }))
    .max(6),
});
export type FleetConfig = z.infer<typeof fleetConfig>;

/**
 * Reads the operator's file and the files that it names.
 * @throws KiwiError `usage`, naming what is wrong
 */
export async function importFleetConfig(file: string): Promise<FleetConfig> {
  const from = path.dirname(path.resolve(file));
  const input = parseConfigFile(fleetInput, await readGiven(file), file, 'usage');
  const readText = async (name: string): Promise<string> =>
    (await readGiven(path.resolve(from, name))).toString('utf8').trim();
  const serverCa = `${await readText(input.serverCaFile)}\n`;
  try {
    if (parsePemBundle(serverCa).length === 0) throw new TypeError('no certificate');
  } catch (error) {
    throw new KiwiError('usage', { detail: `${input.serverCaFile}: holds no PEM certificate`, cause: error });
  }
  const packages = await Promise.all(
    input.packages.map(async ({ key, file: name }) => {
      const absolute = path.resolve(from, name);
      return { key, file: absolute, ...(await hashFile(absolute)) };
    }),
  );
  return fleetConfig.parse({
    url: input.url.replace(/\/$/, ''),
    serverCa,
    apiToken: await readText(input.apiTokenFile),
    enrollSecret: await readText(input.enrollSecretFile),
    packages,
  });
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
    throw new KiwiError('usage', { detail: `${file}: cannot be read`, cause: error });
  }
}

async function readGiven(file: string): Promise<Buffer> {
  try {
    return await readCappedFile(file, { maxBytes: 64 * 1024 });
  } catch (error) {
    throw new KiwiError('usage', { detail: `${file}: cannot be read`, cause: error });
  }
}
