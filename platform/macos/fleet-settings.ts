import type { KeptSettings } from '../../src/laptop/fleet-agent/kept-settings.ts';

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
