import { stat } from 'node:fs/promises';

import type { Desktop, DesktopSession, Notice } from '../../src/laptop/system/desktop.ts';
import { at, readTool, type MacSystem } from './system.ts';

const PATIENCE_MS = 4_000;
/** Users below are those of services. */
const FIRST_PERSON = 501;

/** Title and body are arguments of the script, so that nothing in them is read as a part of it. */
const SCRIPT = ['on run argv', 'display notification (item 2 of argv) with title (item 1 of argv)', 'end run'];

/** Whoever is at the screen owns /dev/console; undefined at the login window. */
export async function userAtScreen(system: MacSystem): Promise<number | undefined> {
  const console = await stat(at(system, '/dev/console')).catch(() => undefined);
  return console !== undefined && console.uid >= FIRST_PERSON ? console.uid : undefined;
}

/**
 * The person at the screen, told by osascript in their session and with their rights alone. macOS keeps a notification in its centre until
 * the person takes it away: it has no number, and cannot be closed by us.
 */
export class MacDesktop implements Desktop {
  readonly #system: MacSystem;
  #shown = 0;

  constructor(system: MacSystem) {
    this.#system = system;
  }

  async sessions(): Promise<readonly DesktopSession[]> {
    const uid = await userAtScreen(this.#system);
    return uid === undefined ? [] : [{ id: `console-${uid}`, uid }];
  }

  async show({ uid }: DesktopSession, { title, body }: Notice): Promise<number | undefined> {
    if ((await userAtScreen(this.#system)) !== uid) return undefined;
    // asuser gives the session, and sudo takes root's rights away.
    const asUser = ['asuser', String(uid), '/usr/bin/sudo', '-n', '-u', `#${uid}`, '--'];
    const script = ['/usr/bin/osascript', ...SCRIPT.flatMap((line) => ['-e', line]), title, body];
    const said = await readTool(this.#system, {
      name: 'launchctl',
      args: [...asUser, ...script],
      timeoutMs: PATIENCE_MS,
    });
    return said === undefined ? undefined : (this.#shown += 1);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
