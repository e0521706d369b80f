import { productVersion } from '../../protocol/update-manifest.ts';

/**
 * Positive when `a` is newer than `b`, 0 when they are the same.
 * @returns undefined when one of them is no version of ours
 */
export function compareVersions(a: string, b: string): number | undefined {
  if (!productVersion.safeParse(a).success || !productVersion.safeParse(b).success) return undefined;
  // The build of a provider comes after the version without one.
  const [one, other] = [a, b].map((version) => [...version.split(/[.+]/u).map(Number), 0]);
  for (let place = 0; place < 4; place++) {
    const difference = (one?.[place] ?? 0) - (other?.[place] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
