import { isMissing } from '../../core/durable-file.ts';
import { readSliceFile } from '../config/read-slice-file.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import { readPart } from '../config/slice-identity.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { createDirectory, type Directory } from './directory.ts';

/**
 * The directory that slice.json names, or none. Its CA is in directory-ca.pem; without that file, the provider's root is trusted.
 * @throws KiwiError `slice-damaged` when the secret is missing, or others can read it
 */
export async function openDirectory(
  paths: SlicePaths,
  config: SliceConfig,
  mspRoot: string,
): Promise<Directory | undefined> {
  if (config.directory === undefined) return undefined;
  const secret = (await readPart(paths.directory.secret, true)).toString('utf8').trim();
  return createDirectory(config.directory, { secret, ca: (await ownCa(paths.directory.ca)) ?? mspRoot });
}

async function ownCa(file: string): Promise<string | undefined> {
  try {
    return (await readSliceFile(file, { private: false })).toString('utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
