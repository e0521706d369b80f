import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { sh } from './install-package.ts';
import type { Machine } from './machine.ts';

/** Somebody who is logged in at the machine. */
export interface Session {
  readonly id: string;
  /** Comes before a command, to run it as this person and in this session. */
  readonly as: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Logs a person in at a virtual terminal, as a login manager does: by PAM, which has logind open a session at the seat of the screen.
 * The session stays until the machine is switched off.
 */
export async function logIn(
  machine: Machine,
  user: string,
  { terminal, type }: { readonly terminal: number; readonly type: 'tty' | 'wayland' },
): Promise<Session> {
  const properties = [
    ...['PAMName=login', `User=${user}`, `TTYPath=/dev/tty${terminal}`, 'StandardInput=tty', 'StandardOutput=journal'],
    `Environment=XDG_SESSION_TYPE=${type}`,
  ].map((property) => `--property=${property}`);
  const unit = `login-${user}.service`;
  const login = ['/usr/bin/systemd-run', `--unit=${unit}`, ...properties, '/bin/sleep', 'infinity'];
  const { code, stderr } = await machine.run(login);
  if (code !== 0) throw new Error(`${user} cannot log in: ${stderr}`);
  const uid = await sh(machine, `id -u ${user}`);
  for (;;) {
    // Until then logind and systemd have yet to make what belongs to it.
    const script = `s=$(loginctl list-sessions --no-legend | awk '$3 == "${user}" { print $1; exit }'); [ -z "$s" ] ||
      case $(loginctl show-session -P State $s) in active|online) echo $s $(loginctl show-session -P Scope $s);; esac`;
    const [id = '', scope = ''] = (await sh(machine, script)).split(' ');
    if (id !== '') {
      const joined = `echo $$ >/sys/fs/cgroup/user.slice/user-${uid}.slice/${scope}/cgroup.procs && exec "$@"`;
      const asUser = ['/usr/bin/setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'];
      const env = {
        HOME: path.join('/', 'home', user),
        USER: user,
        LOGNAME: user,
        XDG_RUNTIME_DIR: `/run/user/${uid}`,
      };
      return { id, as: ['/bin/sh', '-c', joined, 'join', ...asUser], env };
    }
    await sh(machine, `systemctl is-active --quiet ${unit} || { journalctl -u ${unit} -o cat; exit 1; }`);
    await sleep(200);
  }
}
