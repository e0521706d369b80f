import { createPrivateKey } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import { createCaClient } from '../ca/ca-client.ts';
import { PROVISIONER } from '../ca/render-ca-config.ts';
import { readPart } from '../config/slice-identity.ts';
import { revokeWanted } from '../upkeep/settle-ended.ts';
import type { OperatorParts } from './verbs/handlers.ts';

/** What the verbs work with, in a slice that is open: reads the key of provisioner `yubikey`. The caller closes `ca`. */
export async function operatorParts(open: Omit<OperatorParts, 'ca' | 'revokeIfPossible'>): Promise<OperatorParts> {
  const { paths, config, identity, registry, clock } = open;
  const ca = createCaClient({
    url: `https://${config.inside.address}:${config.ca.port}`,
    root: identity.mspRoot.pem,
    provisioner: PROVISIONER.yubikey,
    keyId: config.ca.yubikeyKid,
    key: createPrivateKey(await readPart(paths.operator.provisionerKey, true)),
    clock,
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
  return { ...open, ca, revokeIfPossible };
}
