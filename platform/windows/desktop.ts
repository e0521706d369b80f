import { z } from 'zod';

import type { Desktop, DesktopSession, Notice } from '../../src/laptop/system/desktop.ts';
import { callHelper, readHelper } from './helper.ts';
import type { WindowsSystem } from './system.ts';

const PATIENCE_MS = 4000;
const MAX_SESSIONS = 16;

/**
 * The sessions that somebody is at, told by a message of Windows itself (WTSSendMessage), which no program of theirs can stop or change. It
 * closes by itself after ten minutes, and cannot be taken away earlier.
 */
export class WindowsDesktop implements Desktop {
  readonly #system: WindowsSystem;
  #shown = 0;

  constructor(system: WindowsSystem) {
    this.#system = system;
  }

  async sessions(): Promise<readonly DesktopSession[]> {
    const ids = z.array(z.int().min(0).max(65_535)).max(1000);
    const found = await readHelper(this.#system, ids, ['sessions'], { timeoutMs: PATIENCE_MS }).catch(() => []);
    // A session belongs to one person as long as it lasts; people have no number here.
    return found.slice(0, MAX_SESSIONS).map((id) => ({ id: String(id), uid: id }));
  }

  async show({ id }: DesktopSession, { title, body }: Notice): Promise<number | undefined> {
    const input = Buffer.from(`${title.replaceAll('\n', ' ')}\n${body}`);
    const options = { input, timeoutMs: PATIENCE_MS };
    const shown = await callHelper(this.#system, ['notify', id], options).catch(() => undefined);
    return shown?.code === 0 ? (this.#shown += 1) : undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
