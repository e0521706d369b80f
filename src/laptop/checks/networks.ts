import { findOverlap } from '../tunnel/find-overlap.ts';
import { notWell, well, type Check } from './check.ts';

/** Networks change under an enrolled laptop: the tunnel takes an overlapping one silently, or reaches nothing. */
export const networksApart: Check = {
  code: 'networks',
  severity: 'failure',
  what: "No network that this laptop uses overlaps with the customer's.",
  matters: 'Addresses in both networks reach only one of them.',
  dependsOn: [],
  async run({ context, record }) {
    const networks = record.device?.tunnel?.networks ?? [];
    const overlap = await findOverlap(context.platform.tunnel, record.slug, networks);
    return overlap === undefined ? well(`apart from ${networks.join(', ')}`) : notWell(overlap);
  },
};
