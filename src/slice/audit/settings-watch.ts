import { randomUUID } from 'node:crypto';

import type { Clock } from '../../core/clock.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import { changedSettings, settingsInWords } from '../decisions/settings-in-words.ts';
import type { AuditEntry, Registry } from '../registry/registry.ts';

/** The action under which the settings stand in the audit as they are from then on. */
export const SETTINGS = 'slice.settings';
/** What an operator changes by a command is in the audit a moment before it is in the file. */
const MOMENT_MS = 1000;

export interface WatchedSettings {
  readonly dir: string;
  readonly registry: Pick<Registry, 'auditAfter' | 'lastAudit'>;
  readonly clock: Clock;
}

/**
 * Sees what was changed in slice.json by hand. Whoever may write that file can do so, and nobody asks him for a second signature: so
 * every change is in the audit, and is an alarm until an operator acknowledges it.
 */
export class SettingsWatch {
  readonly #parts: WatchedSettings;
  #known: string | undefined;

  constructor(parts: WatchedSettings) {
    this.#parts = parts;
  }

  /** @throws KiwiError `slice-damaged` when the file cannot be read; AbortError */
  async look(signal?: AbortSignal): Promise<void> {
    const { registry, clock } = this.#parts;
    if ((await this.#read()) === this.#known) return;
    if ((await this.#recorded()) !== (await this.#read())) await clock.sleep(MOMENT_MS, signal);
    const [before, now] = [await this.#recorded(), await this.#read()];
    if (before !== now) {
      const slice = { requestId: randomUUID(), actor: 'slice' } as const;
      const settings = { ...slice, action: SETTINGS, decision: 'allowed', why: now } as const;
      const last = { action: SETTINGS, why: before };
      // Others look at the same time: the slice, its operator API, and whoever works in its folder.
      if (!(await registry.auditAfter(last, [...edited(slice, before, now), settings], clock.now()))) {
        return this.look(signal);
      }
    }
    this.#known = now;
  }

  async #read(): Promise<string> {
    return settingsInWords(await readSliceConfig(this.#parts.dir));
  }

  async #recorded(): Promise<string | undefined> {
    return (await this.#parts.registry.lastAudit(SETTINGS))?.why;
  }
}

/** The alarm, where it was known how the settings were. */
function edited(by: Pick<AuditEntry, 'requestId' | 'actor'>, before: string | undefined, now: string): AuditEntry[] {
  if (before === undefined) return [];
  const why = `by hand: ${changedSettings(before, now).join('; ')}`;
  return [{ ...by, action: 'slice.edited', decision: 'alarm', why }];
}
