import { release } from 'node:os';

import type { ServiceReports } from '../../src/laptop/system/service-reports.ts';
import { profileUuid } from '../../src/laptop/tunnel/profile-uuid.ts';
import { tunnelInterfaceName } from '../../src/laptop/tunnel/interface-name.ts';
import { findProgram, runTool, type LinuxSystem } from './system.ts';
import { systemctlProperties } from './systemctl-properties.ts';
import { unitLog } from './unit-log.ts';

const PROPERTIES = 'LoadState,ActiveState,SubState,Result,UnitFileState,ExecMainStatus,NRestarts,NeedDaemonReload';
/** The watcher starts one for each of its reasons (native/tunnel-watcher). */
const MENDS = ['network', 'wake', 'clock', 'silent', 'stale'].map((reason) => `kiwistack-mend@${reason}.service`);
/** What writes our own log. */
const LOGGING = ['kiwistack-enroll-check.service', 'kiwistack-watch.service', 'kiwistack-agent.service', ...MENDS];
const OURS = [...LOGGING, 'kiwistack-enroll-check.timer', 'kiwistack-watch.path', 'kiwistack-agent.socket'];
const LOG_LINES = 2000;
const LOG_BYTES = 512 * 1024;

/** systemd's. */
export class SystemdReports implements ServiceReports {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async units(slug: string | undefined): Promise<Record<string, Record<string, string>>> {
    if ((await findProgram(this.#system, 'systemctl')) === undefined) return {};
    const tunnel = slug === undefined ? undefined : tunnelInterfaceName(slug);
    const keepers = tunnel === undefined ? [] : [`wg-quick@${tunnel}.service`, 'NetworkManager.service'];
    const shown = [...OURS, ...keepers, 'orbit.service'].map(
      async (unit) => [unit, await this.#properties(unit)] as const,
    );
    const connection = tunnel === undefined ? undefined : await this.#connection(tunnel);
    return {
      ...Object.fromEntries(await Promise.all(shown)),
      ...(connection === undefined ? {} : { [`connection ${tunnel}`]: connection }),
    };
  }

  log(sinceMs: number): Promise<string> {
    return unitLog(this.#system, {
      unit: LOGGING,
      sinceMs,
      lines: LOG_LINES,
      maxBytes: LOG_BYTES,
      output: 'short-iso',
    });
  }

  kernel(): string {
    return release();
  }

  async #properties(unit: string): Promise<Record<string, string>> {
    const args = ['show', '--no-pager', `--property=${PROPERTIES}`, '--', unit];
    const result = await runTool(this.#system, { name: 'systemctl', args, timeoutMs: 10_000 }).catch(() => undefined);
    return result?.code === 0 ? systemctlProperties(result.stdout.toString()) : {};
  }

  /** The tunnel's connection where NetworkManager keeps it: what nmcli says of it, if anything. */
  async #connection(name: string): Promise<Record<string, string> | undefined> {
    if ((await findProgram(this.#system, 'nmcli')) === undefined) return undefined;
    const fields = 'connection.autoconnect,GENERAL.STATE';
    const args = ['--terse', '--fields', fields, 'connection', 'show', 'uuid', profileUuid(name)];
    const shown = await runTool(this.#system, { name: 'nmcli', args, timeoutMs: 10_000 }).catch(() => undefined);
    if (shown?.code !== 0) return undefined;
    const [, autoconnect = ''] = /^connection\.autoconnect:(.*)$/mu.exec(shown.stdout.toString()) ?? [];
    // A connection that is not active has no state.
    const [, state = 'inactive'] = /^GENERAL\.STATE:(.*)$/mu.exec(shown.stdout.toString()) ?? [];
    return { ActiveState: state, Autoconnect: autoconnect };
  }
}
