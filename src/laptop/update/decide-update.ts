import { sha256 } from '../../core/bytes.ts';
import type { UpdateManifest, UpdatePackage } from '../../protocol/update-manifest.ts';
import type { InstalledPackages } from '../system/updater.ts';
import { compareVersions } from './compare-versions.ts';

export interface UpdateFacts {
  readonly installed: InstalledPackages;
  /** Whether this laptop belongs to those that take it now depends on nothing else. */
  readonly deviceId: string;
}

/** What a laptop does about a version that its provider has released. */
export type UpdateDecision =
  /** The installed one is this one, or newer: nothing ever goes back. */
  | { readonly result: 'current' }
  /** Others take it first. */
  | { readonly result: 'not-yet' }
  /** There is no package of it for this laptop, or what is installed came from elsewhere. */
  | { readonly result: 'not-for-this-laptop' }
  | { readonly result: 'update'; readonly packages: readonly UpdatePackage[] };

export function decideUpdate(manifest: UpdateManifest, { installed, deviceId }: UpdateFacts): UpdateDecision {
  const { system, architecture, versions } = installed;
  const agent = versions['kiwistack-enroll'];
  const difference = agent === undefined ? undefined : compareVersions(manifest.version, agent);
  if (difference === undefined) return { result: 'not-for-this-laptop' };
  if (difference <= 0) return { result: 'current' };
  const packages = Object.keys(versions).map((name) =>
    manifest.packages.find((one) => one.name === name && one.system === system && one.architecture === architecture),
  );
  if (!packages.every((found) => found !== undefined)) return { result: 'not-for-this-laptop' };
  if (rolloutBucket(manifest.version, deviceId) >= manifest.rollout) return { result: 'not-yet' };
  return { result: 'update', packages };
}

/** A number from 0 to 99, another one for each version: the same laptops are not always the first. */
export function rolloutBucket(version: string, deviceId: string): number {
  return sha256(`kiwi-rollout/1\n${version}\n${deviceId}`).readUInt32BE() % 100;
}
