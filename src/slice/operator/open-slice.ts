import { createPrivateKey } from 'node:crypto';

import type { Clock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { AuditSeal } from '../audit/audit-seal.ts';
import { createCaClient } from '../ca/ca-client.ts';
import { PROVISIONER } from '../ca/render-ca-config.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { loadIdentity, readPart, type SliceIdentity } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { openRegistry } from '../open-registry.ts';
import { revokeWanted } from '../upkeep/settle-ended.ts';
import { performOn } from './perform.ts';

export { firmwareFlaw } from '../decisions/firmware-flaw.ts';
export { MAX_EXPORT as MAX_AUDIT_EXPORT, exportTrail, openExport, requireWhole } from '../audit/export-trail.ts';

/** A slice in its folder. */
export interface LocalSlice extends OperatorSlice {
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
}

/**
 * Opens the slice in a folder for an operator. It uses the same registry as the gateway; both may be open at the same time.
 * @throws KiwiError `slice-missing`
 */
export async function openSlice(dir: string, clock: Clock): Promise<LocalSlice> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const identity = await loadIdentity(paths);
  const registry = openRegistry(paths);
  const ca = createCaClient({
    url: `https://${config.inside.address}:${config.ca.port}`,
    root: identity.mspRoot.pem,
    provisioner: PROVISIONER.yubikey,
    keyId: config.ca.yubikeyKid,
    key: createPrivateKey(await readPart(paths.operator.provisionerKey, true)),
    clock,
  });
  const seal = new AuditSeal({
    ...{ file: paths.auditCheckpoint, slug: config.customer.slug, identity, registry, clock },
  });
  const revokeIfPossible = async (): Promise<boolean> => {
    try {
      await revokeWanted({ registry, ca, clock });
      return true;
    } catch (error) {
      if (error instanceof KiwiError && error.code === 'ca-unavailable') return false;
      throw error;
    }
  };
  const perform = performOn({ paths, config, identity, registry, ca, seal, clock, revokeIfPossible });
  return {
    config,
    identity,
    ask: (verb, ...[given]) => perform(verb, given ?? {}),
    async close() {
      await ca.close();
      registry.close();
    },
  };
}
