import { findOverlap } from '../tunnel/find-overlap.ts';
import type { Check } from './check.ts';

/** Networks change under an enrolled laptop: the tunnel takes an overlapping one silently, or reaches nothing. */
export const networksApart: Check = {
  code: 'networks',
  severity: 'failure',
  dependsOn: [],
  run: ({ context, record }) =>
    findOverlap(context.platform.tunnel, record.slug, record.device?.tunnel?.networks ?? []),
};
