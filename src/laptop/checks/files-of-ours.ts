import { KiwiError } from '../../core/errors.ts';
import { notWell, well, type Check } from './check.ts';

/**
 * Every file of a complete enrollment is there and still ours. Without one the enrollment may go on working until the next
 * restart.
 */
export const filesOfOurs: Check = {
  code: 'files-of-ours',
  severity: 'failure',
  what: 'Every file of the enrollment is there and is still ours.',
  matters: 'What works now may stop at the next restart.',
  dependsOn: [],
  async run({ context: { platform }, record }) {
    const { certificates, tunnel, agent, signIn } = platform;
    const found = (await Promise.all([certificates.found(), tunnel.found(), agent.found(), signIn.found()])).flat();
    const ours = new Set(found.filter((file) => file.ours).map(({ what }) => what));
    const files = await platform.files(record.slug);
    const missing = files.filter((file) => !ours.has(file));
    if (missing.length === 0) return well(`${files.length} files`);
    return notWell(new KiwiError('enrollment-incomplete', { detail: `missing or replaced: ${missing.join(', ')}` }));
  },
};
