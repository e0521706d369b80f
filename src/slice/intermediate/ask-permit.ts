import { digest } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { permitIntermediate, type Permit } from '../approvals/permit-intermediate.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { openRegistry } from '../open-registry.ts';

export type { Permit } from '../approvals/permit-intermediate.ts';

/**
 * Whether this intermediate may take the old one's place. The operators' certificates are of the old one: this is asked while that is
 * in use, and not after the move.
 *
 * @throws KiwiError `second-operator-needed`
 */
export async function askPermit(
  paths: SlicePaths,
  change: {
    readonly config: SliceConfig;
    readonly root: Certificate;
    readonly old: Certificate;
    readonly intermediate: Certificate;
    /** Why it is done although nobody has permitted it. */
    readonly without?: string | undefined;
  },
  clock: Clock,
): Promise<Permit> {
  const { config, root, old, intermediate, without } = change;
  const registry = openRegistry(paths);
  try {
    const sources = { config, registry, clock, identity: { intermediate: old, mspRoot: root } };
    return await permitIntermediate(sources, digest(intermediate.spki), without);
  } finally {
    registry.close();
  }
}

/** How it stands in the audit: what nobody has permitted is an alarm, until an operator acknowledges it. */
export const auditOfPermit = ({ decision, why }: Permit, which: string) => ({
  ...(decision === 'alarm' ? { code: 'second-operator-needed' } : {}),
  ...{ decision, why: `${which}; ${why}` },
});
