import { lstat } from 'node:fs/promises';

import type { Desktop, DesktopSession, Notice } from '../../src/laptop/system/desktop.ts';
import type { RunResult } from '../../src/programs/run-program.ts';
import { at, findProgram, runTool, type LinuxSystem } from './system.ts';

const PATIENCE_MS = 4000;
const MAX_OUTPUT = 16 * 1024;
const MAX_SESSIONS = 16;
/** Users below are those of services. systemd's own limit, in its users-groups documentation. */
const FIRST_PERSON = 1000;
const NOBODY = 65_534;

const SERVICE = ['org.freedesktop.Notifications', '/org/freedesktop/Notifications', 'org.freedesktop.Notifications'];

/**
 * The sessions that logind knows, told through their user's own message bus (Desktop Notifications Specification 1.2). The call is made by
 * busctl with the user's id and nothing else of ours: on a bus, whoever answers is chosen by its owner.
 */
export class LogindDesktop implements Desktop {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async sessions(): Promise<readonly DesktopSession[]> {
    const list = await this.#run('loginctl', ['list-sessions', '--no-legend', '--no-pager']);
    // Only the first two columns: the others are names, which may hold anything.
    const lines = list.split('\n').slice(0, 10 * MAX_SESSIONS);
    const ids = lines.flatMap((line) => /^\s*([A-Za-z0-9]{1,32})\s+\d{1,10}(?:\s|$)/u.exec(line)?.[1] ?? []);
    const found = await Promise.all(ids.map((id) => this.#session(id)));
    return found.filter((session) => session !== undefined).slice(0, MAX_SESSIONS);
  }

  async show(session: DesktopSession, { title, body }: Notice): Promise<number | undefined> {
    // app_name, replaces_id, app_icon, summary, body, actions, hints: urgency normal; expire_timeout 0: it stays.
    const hints = ['1', 'urgency', 'y', '1'];
    const args = ['susssasa{sv}i', 'KiwiStack', '0', 'dialog-information', title, body, '0', ...hints, '0'];
    const answer = await this.#call(session, 'Notify', args);
    const id = /^u (\d{1,10})\s*$/u.exec(answer)?.[1];
    return id === undefined ? undefined : Number(id);
  }

  async close(session: DesktopSession, notice: number): Promise<void> {
    await this.#call(session, 'CloseNotification', ['u', String(notice)]);
  }

  async #session(id: string): Promise<DesktopSession | undefined> {
    const names = ['User', 'Type', 'Class', 'State', 'Remote'].map((name) => `--property=${name}`);
    const text = await this.#run('loginctl', ['show-session', ...names, '--', id]);
    const shown = new Map(text.split('\n').map((line) => line.split('=', 2) as [string, string | undefined]));
    const uid = Number(shown.get('User') ?? Number.NaN);
    const here = shown.get('Class') === 'user' && shown.get('Remote') === 'no' && shown.get('State') !== 'closing';
    const graphical = ['x11', 'wayland', 'mir'].includes(shown.get('Type') ?? '');
    return here && graphical && Number.isInteger(uid) && uid >= FIRST_PERSON && uid !== NOBODY
      ? { id, uid }
      : undefined;
  }

  /** @returns busctl's answer; empty when there is none */
  async #call({ uid }: DesktopSession, method: string, args: readonly string[]): Promise<string> {
    const bus = `/run/user/${uid}/bus`;
    const socket = await lstat(at(this.#system, bus)).catch(() => undefined);
    const busctl = await findProgram(this.#system, 'busctl');
    if (socket?.isSocket() !== true || socket.uid !== uid || busctl === undefined) return '';
    const asUser = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs', '--', busctl];
    const call = [`--address=unix:path=${bus}`, '--timeout=3', 'call', ...SERVICE, method, ...args];
    return this.#run('setpriv', [...asUser, ...call]);
  }

  /** What a program printed; nothing where there is no such program, or where it failed, hung or printed too much. */
  async #run(name: string, args: readonly string[]): Promise<string> {
    const limits = { timeoutMs: PATIENCE_MS, maxOutputBytes: MAX_OUTPUT };
    const result = await runTool(this.#system, { name, args, ...limits }).catch((): RunResult | undefined => undefined);
    return result?.code === 0 ? result.stdout.toString() : '';
  }
}
