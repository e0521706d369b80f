import { readdir, stat } from 'node:fs/promises';
import { release } from 'node:os';
import path from 'node:path';

import { ignoreMissing } from '../../src/core/durable-file.ts';
import { readLogEnd } from '../../src/laptop/fleet-agent/recent-lines.ts';
import type { ServiceReports } from '../../src/laptop/system/service-reports.ts';
import { tunnelInterfaceName } from '../../src/laptop/tunnel/interface-name.ts';
import { tunnelLabels } from './jobs.ts';
import { disabledJobs, jobState } from './launchd.ts';
import { JOBS, PATHS } from './paths.ts';
import { at, type MacSystem } from './system.ts';
import { unitFacts } from './unit-facts.ts';

const LOG_BYTES = 128 * 1024;

/** launchd's, and what our daemons wrote into their logs. */
export class MacReports implements ServiceReports {
  readonly #system: MacSystem;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  async units(slug: string | undefined): Promise<Record<string, Record<string, string>>> {
    const tunnel = slug === undefined ? [] : Object.values(tunnelLabels(tunnelInterfaceName(slug)));
    const disabled = await disabledJobs(this.#system);
    const shown = [...Object.values(JOBS), ...tunnel].map(async (label) => {
      const facts = unitFacts(label, await jobState(this.#system, label), disabled.has(label));
      const said: Record<string, string> = facts.known
        ? {
            ActiveState: facts.active,
            UnitFileState: facts.enabled,
            Result: facts.result,
            NRestarts: `${facts.restarts}`,
          }
        : { LoadState: 'not-found' };
      return [label, said] as const;
    });
    return Object.fromEntries(await Promise.all(shown));
  }

  /** A daemon's lines have no time: launchd writes them as they are. So it is the end of each log that was written to since then. */
  async log(sinceMs: number): Promise<string> {
    const folder = at(this.#system, PATHS.log);
    const names = ((await readdir(folder).catch(ignoreMissing)) ?? []).filter((name) => name.endsWith('.log'));
    const texts = await Promise.all(
      names.toSorted().map(async (name) => {
        const file = path.join(folder, name);
        const written = await stat(file).catch(() => undefined);
        if (written === undefined || !written.isFile() || written.mtimeMs < sinceMs) return '';
        const text = await readLogEnd(file, LOG_BYTES).catch(() => '');
        return text === '' ? '' : `${name}, last written ${written.mtime.toISOString()}:\n${text}`;
      }),
    );
    return texts.join('');
  }

  kernel(): string {
    return release();
  }
}
