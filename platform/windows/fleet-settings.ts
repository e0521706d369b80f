import type { KeptSettings } from '../../src/laptop/fleet-agent/kept-settings.ts';

export interface AgentPlaces {
  /** Fleet's own folder, `C:\Program Files\Orbit`. */
  readonly orbit: string;
  readonly log: string;
  /** Files of ours: only the system and administrators can read them. */
  readonly secret: string;
  readonly certificate: string;
}

/**
 * The command of the service `Fleet osquery`, in the place of the one that the package writes: the secret by the name of a file, because every
 * user of Windows can read a service's command, and the certificate, without which osquery trusts only its own list.
 * @throws TypeError for a text that could end an argument
 */
export function renderAgentCommand(settings: KeptSettings, places: AgentPlaces): string {
  const { orbit, log, secret, certificate } = places;
  const options: readonly (readonly [string, string])[] = [
    ['--root-dir', `${orbit}\\.`],
    ['--log-file', log],
    ['--fleet-url', settings.url],
    ['--fleet-certificate', certificate],
    ['--enroll-secret-path', secret],
    ['--orbit-channel', 'stable'],
    ['--osqueryd-channel', 'stable'],
  ];
  return [
    quoted(`${orbit}\\bin\\orbit\\orbit.exe`),
    ...options.flatMap(([name, value]) => [name, quoted(value)]),
    ...(settings.enableScripts ? ['--enable-scripts'] : []),
    ...(settings.disableUpdates ? ['--disable-updates'] : []),
  ].join(' ');
}

/** As CommandLineToArgvW reads it; a backslash before the closing quote would escape it. */
function quoted(text: string): string {
  if (!/^[ -~]*$/u.test(text) || text.includes('"') || text.endsWith('\\')) throw new TypeError('not one argument');
  return `"${text}"`;
}
