import { z } from 'zod';

import type { AgentSettings } from '../../src/laptop/system/fleet-agent.ts';

/** What is kept of the settings beside the secret, so that a package that comes later, or again, gets the same. */
export const keptSettings = z.strictObject({
  writtenBy: z.literal('kiwistack-enroll'),
  url: z.url({ protocol: /^https$/u }).max(300),
  enableScripts: z.boolean(),
  disableUpdates: z.boolean(),
});
export type KeptSettings = z.infer<typeof keptSettings>;

export function renderKeptSettings({ url, enableScripts, disableUpdates }: AgentSettings): string {
  const kept: KeptSettings = { writtenBy: 'kiwistack-enroll', url, enableScripts, disableUpdates };
  return `${JSON.stringify(keptSettings.parse(kept), undefined, 2)}\n`;
}

export interface AgentPlaces {
  readonly secret: string;
  readonly certificate: string;
}

/**
 * The environment of orbit's daemon, in the place of the package's: the secret by the name of a file, because everybody can read a daemon's file,
 * and the certificate, without which osquery trusts only its own list.
 */
export function agentEnvironment(
  settings: KeptSettings,
  { secret, certificate }: AgentPlaces,
): readonly (readonly [string, string])[] {
  return [
    ['ORBIT_FLEET_URL', settings.url],
    ['ORBIT_ENROLL_SECRET_PATH', secret],
    ['ORBIT_FLEET_CERTIFICATE', certificate],
    ['ORBIT_ENABLE_SCRIPTS', String(settings.enableScripts)],
    ['ORBIT_DISABLE_UPDATES', String(settings.disableUpdates)],
  ];
}
