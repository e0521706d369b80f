import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { AGENT_SOCKET } from '../../src/local-api/messages.ts';
import type { Laptop } from '../lab/lab.ts';
import { startInRoom, type LongRunning } from './long-running.ts';
import { CLI, World, type EnrollResult } from './world.ts';

const REPOSITORY = path.join(import.meta.dirname, '..', '..');
const NODE = path.join(REPOSITORY, 'node_modules', '.bin', 'node');
const built = process.env['KIWISTACK_TEST_PROGRAM'];

/**
 * People with an account on the laptop; polkit lets the first do everything, the second see how it is enrolled, the third nothing, and the
 * fourth what an administrator agrees to.
 */
export const PEOPLE = { ada: 2000, bob: 2001, eve: 2002, mia: 2003 } as const;
export type Who = keyof typeof PEOPLE;

/** As a session at the laptop would have it, which a room has not: by name. Eve has none. */
const RULES = `polkit.addRule(function (action, subject) {
  var ours = action.id.indexOf('io.kiwistack.enroll.') === 0;
  if (subject.user === 'ada' && (ours || action.id.indexOf('org.debian.pcsc-lite.') === 0)) return polkit.Result.YES;
  if (subject.user === 'bob' && action.id === 'io.kiwistack.enroll.read') return polkit.Result.YES;
  if (subject.user === 'mia' && ours) return polkit.Result.AUTH_ADMIN;
  if (ours) return polkit.Result.NO;
});
polkit.addAdminRule(function () { return ['unix-user:root']; });
`;

/** The agent on a laptop, with the real polkitd beside it. */
export class AgentRoom {
  readonly laptop: Laptop;
  readonly #socket: LongRunning;

  private constructor(laptop: Laptop, socket: LongRunning) {
    this.laptop = laptop;
    this.#socket = socket;
  }

  static async set(world: World, laptop: Laptop): Promise<AgentRoom> {
    if (built !== undefined) await chmod(built, 0o755);
    await addPeople(laptop);
    await must(laptop, ['/usr/sbin/chpasswd'], `root:${ROOT_PASSWORD}\n`);
    const policy = 'usr/share/polkit-1/actions/io.kiwistack.enroll.policy';
    const rules = 'etc/polkit-1/rules.d/10-people.rules';
    for (const file of [policy, rules]) await mkdir(path.join(laptop.root, path.dirname(file)), { recursive: true });
    await copyFile(
      path.join(REPOSITORY, 'installers/linux/polkit/io.kiwistack.enroll.policy'),
      path.join(laptop.root, policy),
    );
    await writeFile(path.join(laptop.root, rules), RULES);
    // polkit takes an agent only from who is in a session; logind would write these files, and polkit reads them (sd_uid_get_display(3)).
    for (const [folder, name, text] of [
      ['users', String(PEOPLE.mia), 'NAME=mia\nSTATE=active\nDISPLAY=c9\n'],
      ['sessions', 'c9', `UID=${PEOPLE.mia}\nUSER=mia\nACTIVE=1\nSTATE=active\nREMOTE=1\nTYPE=tty\nCLASS=user\n`],
    ] as const) {
      await mkdir(laptop.path(`/run/systemd/${folder}`), { recursive: true });
      await writeFile(laptop.path(`/run/systemd/${folder}/${name}`), text);
    }
    laptop.spawn(['/usr/lib/polkit-1/polkitd', '--no-debug'], { stdio: 'ignore' });
    const ask =
      'for i in $(seq 300); do pkaction -a io.kiwistack.enroll.read >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1';
    await must(laptop, ['/bin/sh', '-c', ask]);
    const agent =
      built === undefined ? path.join(REPOSITORY, 'src/apps/agent/main.ts') : path.join(built, 'kiwistack-agent.js');
    const activation = path.join(REPOSITORY, 'test/world/socket-activation.py');
    const argv = ['/usr/bin/python3', activation, AGENT_SOCKET, NODE, agent];
    const logFile = path.join(world.logDir, `agent-${laptop.name}.log`);
    return new AgentRoom(laptop, await startInRoom(laptop, argv, { what: "the agent's socket", logFile }));
  }

  /** What the agent logged, and when it came and went. */
  log(): string {
    return this.#socket.log();
  }

  /** The same at a terminal, where this is typed at each question for a password. @returns what was on the screen */
  atTerminal(
    who: Who,
    args: readonly string[],
    typed: string,
  ): Promise<{ readonly code: number; readonly screen: string }> {
    const command = [...CLI, ...args].join(' ');
    const child = this.laptop.spawn([...as(who), '/usr/bin/script', '-qec', command, '/dev/null']);
    let screen = '';
    child.stdout?.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    // What is typed between the question and the moment in which the terminal stops to echo is thrown away.
    const count = (pattern: RegExp): number => screen.match(pattern)?.length ?? 0;
    const hand = setInterval(() => {
      if (count(/^Password: /gmu) > count(/AUTHENTICATION (?:COMPLETE|FAILED)/gu)) child.stdin?.write(`${typed}\n`);
    }, 500);
    child.once('close', () => {
      clearInterval(hand);
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject).once('close', (code) => {
        resolve({ code: code ?? -1, screen });
      });
    });
  }

  /** Runs `kiwistack-enroll` as one of them, or as root, who does without the agent. */
  async cli(who: Who | 'root', args: readonly string[], input?: string): Promise<EnrollResult> {
    const result = await this.laptop.run([...as(who), ...CLI, ...args], {
      timeoutMs: 300_000,
      ...(input === undefined ? {} : { input }),
    });
    const events = result.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return { ...result, events, result: events.at(-1) ?? {} };
  }
}

/** Gives them an account. */
export async function addPeople(laptop: Laptop): Promise<void> {
  for (const [name, uid] of Object.entries(PEOPLE)) {
    await must(laptop, ['/usr/sbin/useradd', '--uid', String(uid), '--no-create-home', name]);
  }
}

/** What root's password is on this laptop. */
export const ROOT_PASSWORD = 'correct horse';

/** Comes before a command, to run it as one of them. */
export function as(who: Who | 'root'): string[] {
  if (who === 'root') return [];
  const uid = String(PEOPLE[who]);
  return ['/usr/bin/setpriv', '--reuid', uid, '--regid', uid, '--clear-groups', '--'];
}

async function must(laptop: Laptop, argv: readonly string[], input = ''): Promise<void> {
  const { code, stderr } = await laptop.run(argv, { input });
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
}
