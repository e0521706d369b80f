import { MARKER } from '../system/found.ts';
import type { AgentSettings } from '../system/fleet-agent.ts';

/** Replaces the secret after both planes have enrolled; the text explains itself. */
export const DUMMY_SECRET = 'removed-after-enrollment';

const NOTE = `${MARKER}; \`kiwistack-enroll uninstall\` removes it.\n`;

/**
 * `enroll.env`, an EnvironmentFile of systemd.exec(5). It holds the enroll secret. A value with other than plain characters
 * is put in double quotes, in which systemd unescapes `\`, `"`, `$` and the backtick; control characters are refused.
 */
export function renderAgentEnvironment(settings: AgentSettings, certificateFile: string): string {
  const values: readonly [string, string][] = [
    ['ORBIT_FLEET_URL', settings.url],
    ['ORBIT_ENROLL_SECRET', settings.enrollSecret],
    ['ORBIT_FLEET_CERTIFICATE', certificateFile],
    ['ORBIT_ENABLE_SCRIPTS', String(settings.enableScripts)],
    ['ORBIT_DISABLE_UPDATES', String(settings.disableUpdates)],
  ];
  return NOTE + values.map(([name, value]) => `${name}=${quoted(value)}\n`).join('');
}

/** The drop-in of `orbit.service`: names the settings file and starts the tunnel first. */
export function renderAgentDropIn(environmentFile: string, startAfter: string | undefined): string {
  const order = startAfter === undefined ? [] : ['[Unit]', `Wants=${startAfter}`, `After=${startAfter}`, ''];
  return [NOTE.trimEnd(), ...order, '[Service]', `EnvironmentFile=${environmentFile}`, ''].join('\n');
}

/** The root of the Fleet server's certificate. Text before a PEM block is permitted and skipped (RFC 7468, section 2). */
export function renderAgentCertificate(settings: AgentSettings): string {
  return NOTE + settings.serverCa;
}

/** The same settings with the dummy in place of the secret. */
export function withoutSecret(environment: string): string {
  return environment.replace(/^ORBIT_ENROLL_SECRET=.*$/m, `ORBIT_ENROLL_SECRET=${quoted(DUMMY_SECRET)}`);
}

function quoted(value: string): string {
  if (/\p{Cc}/u.test(value)) throw new TypeError('a control character in a setting');
  if (/^[A-Za-z0-9_./:@%+=,-]+$/.test(value)) return value;
  return `"${value.replace(/[\\"$`]/g, (character) => `\\${character}`)}"`;
}
