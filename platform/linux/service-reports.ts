import { release } from 'node:os';

import type { ServiceReports } from '../../src/laptop/system/service-reports.ts';
import { tunnelInterfaceName } from '../../src/laptop/tunnel/interface-name.ts';
import { findProgram, runTool, type LinuxSystem } from './system.ts';
import { systemctlProperties } from './systemctl-properties.ts';
import { unitLog } from './unit-log.ts';

const PROPERTIES = 'LoadState,ActiveState,SubState,Result,UnitFileState,ExecMainStatus,NRestarts,NeedDaemonReload';
const OURS = ['kiwistack-enroll-check.service', 'kiwistack-enroll-check.timer'] as const;
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
    const tunnel = slug === undefined ? [] : [`wg-quick@${tunnelInterfaceName(slug)}.service`];
    const shown = [...OURS, ...tunnel, 'orbit.service'].map(
      async (unit) => [unit, await this.#properties(unit)] as const,
    );
    return Object.fromEntries(await Promise.all(shown));
  }

  log(sinceMs: number): Promise<string> {
    const [unit] = OURS;
    return unitLog(this.#system, { unit, sinceMs, lines: LOG_LINES, maxBytes: LOG_BYTES, output: 'short-iso' });
  }

  kernel(): string {
    return release();
  }

  async #properties(unit: string): Promise<Record<string, string>> {
    const args = ['show', '--no-pager', `--property=${PROPERTIES}`, '--', unit];
    const result = await runTool(this.#system, { name: 'systemctl', args, timeoutMs: 10_000 }).catch(() => undefined);
    return result?.code === 0 ? systemctlProperties(result.stdout.toString()) : {};
  }
}
