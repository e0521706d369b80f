import { KiwiError } from '../../../core/errors.ts';
import { requireConfined } from '../../exchange/require-confined.ts';
import type { EnrollmentStep } from '../enrollment-run.ts';

/** A crash leaves the root's file, perhaps not yet in the generated bundle; the next run then generates it again. */
export const trust: EnrollmentStep = {
  name: 'trust',
  title: "Trust the provider's root",
  async inspect(run) {
    const { trustRoots } = await run.granted();
    return (await run.platform.trust.verify(trustRoots)) ? 'done' : 'absent';
  },
  async apply(run) {
    const { trustRoots, intermediate } = await run.granted();
    // Seen before the PIN as well; a run that an earlier version began has not looked.
    requireConfined(intermediate);
    await run.platform.trust.install(trustRoots, run.signal);
  },
  async verify(run) {
    if ((await trust.inspect(run)) !== 'done') throw new KiwiError('trust-store-failed');
  },
  async undo({ platform, context, recordIfAny }) {
    // The roots of this enrollment; a newer package may pin others. Another tool may have replaced the file that has them, so
    // the pinned ones are always removed as well.
    const slug = recordIfAny?.slug;
    const stored = slug === undefined ? undefined : await platform.certificates.load(slug).catch(() => undefined);
    const issuers = stored?.roots.filter((root) => stored.intermediate.isSignedBy(root)) ?? [];
    await platform.trust.remove([...issuers, ...context.roots]);
  },
};
