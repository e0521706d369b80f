import { release } from 'node:os';
import path from 'node:path';

import type { ServiceReports } from '../../src/laptop/system/service-reports.ts';
import { tunnelInterfaceName } from '../../src/laptop/tunnel/interface-name.ts';
import { PATHS, SERVICES } from './paths.ts';
import { readRecentLines } from '../../src/laptop/fleet-agent/recent-lines.ts';
import { services, wordsFor } from './services.ts';
import { at, type WindowsSystem } from './system.ts';
import { serviceName } from './tunnel/profile.ts';

const LOG_BYTES = 512 * 1024;

/** The service manager's, and the log that our service writes. */
export class WindowsReports implements ServiceReports {
  readonly #system: WindowsSystem;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  async units(slug: string | undefined): Promise<Record<string, Record<string, string>>> {
    const tunnel = slug === undefined ? [] : [serviceName(tunnelInterfaceName(slug))];
    const names = [SERVICES.agent, SERVICES.fleet, ...tunnel];
    const found = await services(this.#system, names).catch(() => []);
    return Object.fromEntries(
      found.map((one) => {
        const { active, enabled, result } = wordsFor(one);
        return [
          one.name,
          one.known ? { ActiveState: active, Start: enabled, Result: result } : { LoadState: 'not-found' },
        ];
      }),
    );
  }

  log(sinceMs: number): Promise<string> {
    const files = ['agent.1.log', 'agent.log'].map((name) => path.join(at(this.#system, PATHS.log), name));
    return readRecentLines(files, sinceMs, LOG_BYTES);
  }

  kernel(): string {
    return release();
  }
}
