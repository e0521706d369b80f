import type { Clock } from '../../core/clock.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { AuditSeal } from '../audit/audit-seal.ts';
import { SettingsWatch } from '../audit/settings-watch.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { loadIdentity, type SliceIdentity } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { openRegistry } from '../open-registry.ts';
import { operatorParts } from './operator-parts.ts';
import { performOn } from './perform.ts';
import type { Actor } from './verbs/handlers.ts';

export { firmwareFlaw } from '../decisions/firmware-flaw.ts';
export { requireNoOperators } from './find-target.ts';
export { MAX_EXPORT as MAX_AUDIT_EXPORT, exportTrail, openExport } from '../audit/export-trail.ts';

/** A slice in its folder. */
export interface LocalSlice extends OperatorSlice {
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
}

/** Whoever may read the slice's folder has every key in it. */
const ROOT: Actor = { name: 'operator', role: 'admin' };

/**
 * Opens the slice in a folder for an operator. It uses the same registry as the gateway; both may be open at the same time.
 * @throws KiwiError `slice-missing`
 */
export async function openSlice(dir: string, clock: Clock): Promise<LocalSlice> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  const registry = openRegistry(paths);
  const seal = new AuditSeal({
    ...{ file: paths.auditCheckpoint, slug: config.customer.slug, identity, registry, clock },
  });
  const settings = new SettingsWatch({ dir, registry, clock });
  const parts = await operatorParts({ paths, config, identity, registry, seal, settings, clock });
  const perform = performOn(parts);
  return {
    config,
    identity,
    ask: (verb, ...[given]) => perform(verb, given ?? {}, ROOT),
    async close() {
      await parts.ca.close();
      registry.close();
    },
  };
}
