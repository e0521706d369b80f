import { randomBytes } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { readFleetConfig, writeFleetConfig, type FleetConfig } from '../config/fleet-config.ts';
import type { FleetClient } from './fleet-client.ts';

/** The Fleet server of a running slice. */
export interface FleetPart {
  /** As it is now: its enroll secret changes. */
  readonly config: FleetConfig;
  readonly client: FleetClient;
  /**
   * Gives Fleet a new enroll secret instead of ours. The laptops that are enrolled have node keys, and do not notice.
   * @throws Error when Fleet does not answer or refuses: repeated, it goes on with the same secret
   */
  rotateSecret(): Promise<void>;
}

/** @param dir the slice's folder, whose fleet.json is kept in line */
export function fleetPart(dir: string, first: FleetConfig, client: FleetClient): FleetPart {
  let config = first;
  return {
    get config() {
      return config;
    },
    client,
    async rotateSecret() {
      const stored = await readFleetConfig(dir);
      // `kiwistack-slice fleet` has written other settings, which count after a restart.
      if (stored?.url !== config.url) {
        throw new KiwiError('slice-damaged', { detail: 'the settings of Fleet were changed: restart the slice' });
      }
      // Written before Fleet has it: whatever happens in between, the secret that Fleet accepts is known here.
      const next = stored.nextEnrollSecret ?? base64url(randomBytes(24));
      await writeFleetConfig(dir, { ...stored, nextEnrollSecret: next });
      await client.replaceSecret(stored.enrollSecret, next);
      const { nextEnrollSecret: _, ...rest } = { ...stored, enrollSecret: next };
      await writeFleetConfig(dir, rest);
      config = { ...config, enrollSecret: next };
    },
  };
}
