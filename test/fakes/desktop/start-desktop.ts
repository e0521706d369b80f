import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

import type { Room } from '../../lab/lab.ts';

export interface Heard {
  readonly type: 'ready' | 'notify' | 'close';
  readonly [name: string]: unknown;
}

/** A desktop on which somebody is logged in: their message bus, its notification service, and what logind says of them. */
export interface FakeDesktop {
  /** What the service was told, oldest first. */
  readonly heard: readonly Heard[];
  stop(): Promise<void>;
}

/** systemd-logind does not run in a room: this says what it would say. */
const LOGINCTL = `#!/bin/sh
case $1 in
  list-sessions) cat /run/fake-sessions ;;
  show-session) for last; do :; done; cat "/run/fake-session-$last" ;;
esac
`;

/** @param silent its service takes calls and never answers */
export async function startDesktop(
  room: Room,
  uid: number,
  options: { readonly silent?: boolean } = {},
): Promise<FakeDesktop> {
  const session = `c${uid}`;
  const shown = `User=${uid}\\nType=wayland\\nClass=user\\nState=active\\nRemote=no\\n`;
  await must(
    room,
    `mkdir -p /run/user/${uid}; chmod 700 /run/user/${uid}; chown ${uid}:${uid} /run/user/${uid}
     printf '%s %s a\\033[2Jnna seat0 tty2\\n' ${session} ${uid} >> /run/fake-sessions
     printf '${shown}' > /run/fake-session-${session}
     if ! grep -q fake-sessions /usr/bin/loginctl; then cat > /run/loginctl; chmod 755 /run/loginctl; mount --bind /run/loginctl /usr/bin/loginctl; fi
     if ! grep -q '^[^:]*:[^:]*:${uid}:' /etc/passwd; then
       { cat /etc/passwd; echo 'desktop${uid}:x:${uid}:${uid}::/:/bin/false'; } > /run/passwd-${uid}; mount --bind /run/passwd-${uid} /etc/passwd
     fi`,
    LOGINCTL,
  );
  const asUser = ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
  const address = `unix:path=/run/user/${uid}/bus`;
  const bus = room.spawn(
    [...asUser, '/usr/bin/dbus-daemon', '--session', '--nofork', '--nopidfile', `--address=${address}`],
    { stdio: 'ignore' },
  );
  await until(room, `test -S /run/user/${uid}/bus`);
  const main = path.join(import.meta.dirname, 'main.ts');
  const mode = options.silent === true ? ['silent'] : [];
  const service = room.spawn([...asUser, process.execPath, main, `/run/user/${uid}/bus`, ...mode]);
  const heard: Heard[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    if (service.stdout === null) throw new TypeError('stdout is a pipe');
    createInterface({ input: service.stdout }).on('line', (line) => {
      heard.push(JSON.parse(line) as Heard);
      resolve();
    });
    let said = '';
    service.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    service.once('close', () => reject(new Error(`the notification service ended: ${said}`)));
  });
  await ready;
  return {
    heard,
    stop: async () => {
      await Promise.all([service, bus].map(end));
      await must(
        room,
        `sed -i '/^${session} /d' /run/fake-sessions; rm -rf /run/fake-session-${session} /run/user/${uid}
         if [ -e /run/passwd-${uid} ]; then umount /etc/passwd; rm /run/passwd-${uid}; fi`,
      );
      const { stdout } = await room.run(['/bin/cat', '/run/fake-sessions']);
      if (stdout === '')
        await must(
          room,
          'umount /usr/bin/loginctl; rm -f /run/loginctl /run/fake-sessions; rmdir --ignore-fail-on-non-empty /run/user',
        );
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGKILL');
  await ended;
}

async function must(room: Room, script: string, input = ''): Promise<void> {
  const { code, stderr } = await room.run(['/bin/sh', '-ec', script], { input });
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
}

async function until(room: Room, test: string): Promise<void> {
  await must(room, `n=0; until ${test}; do sleep 0.1; n=$((n + 1)); [ $n -lt 600 ]; done`);
}
