import { KiwiError } from '../../core/errors.ts';
import type { Check } from './check.ts';

/**
 * Every file of a complete enrollment is there and still ours, and programs of this system trust the root. Without a file the
 * enrollment may go on working until the next restart.
 */
export const filesOfOurs: Check = {
  code: 'files-of-ours',
  severity: 'failure',
  dependsOn: [],
  async run({ context: { platform }, record, certificate }) {
    const { certificates, tunnel, agent, trust } = platform;
    const found = (await Promise.all([certificates.found(), tunnel.found(), agent.found()])).flat();
    const ours = new Set(found.filter((file) => file.ours).map(({ what }) => what));
    const missing = platform.files(record.slug).filter((file) => !ours.has(file));
    const stored = await certificate().catch(() => undefined);
    // The file beside the certificate may be another program's by now.
    const issuers = stored?.roots.filter((root) => stored.intermediate.isSignedBy(root)) ?? [];
    if (!(await trust.verify(issuers))) missing.push("the root in the system's trust store");
    if (missing.length === 0) return undefined;
    return new KiwiError('enrollment-incomplete', { detail: `missing or replaced: ${missing.join(', ')}` });
  },
};
