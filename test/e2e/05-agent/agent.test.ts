import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ChildProcess } from 'node:child_process';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Laptop } from '../../lab/lab.ts';
import { startInRoom, type LongRunning } from '../../world/long-running.ts';
import { CLI, PIN, World, type Reader } from '../../world/world.ts';

type RunResult = Awaited<ReturnType<Laptop['run']>>;

const REPOSITORY = path.join(import.meta.dirname, '..', '..', '..');
const NODE = CLI[0] ?? '';
const SERIAL = 51_000_001;
/** Ann may do everything, as an administrator who has entered a password; bob is logged in nowhere. */
const [ANN, BOB] = [4001, 4002];

let dir: string;
let world: World;
let laptop: Laptop;
let listener: LongRunning;
let polkitd: ChildProcess;
let reader: Reader;

const RULES = `polkit.addRule(function (action, subject) {
  if (subject.user == 'ann' && /^(io\\.kiwistack|org\\.debian\\.pcsc-lite)\\./.test(action.id)) return 'yes';
  if (/^org\\.debian\\.pcsc-lite\\./.test(action.id)) return 'yes';
});
`;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-agent-'));
  world = await World.create({ dir });
  await world.provisionKey(SERIAL);
  laptop = await world.addLaptop({ name: 'anns' });
  const set = async (script: string, input = ''): Promise<string> => {
    const { code, stdout, stderr } = await laptop.run(['/bin/sh', '-ec', script], { input });
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  await set(`useradd -u ${ANN} ann && useradd -u ${BOB} bob`);
  const policy = path.join(REPOSITORY, 'installers/linux/polkit/io.kiwistack.enroll.policy');
  await set(`install -D -m 644 ${policy} /usr/share/polkit-1/actions/io.kiwistack.enroll.policy`);
  await set(
    'mkdir -p /etc/polkit-1/rules.d; cat >/etc/polkit-1/rules.d/10-test.rules; chmod -R a+rX /etc/polkit-1',
    RULES,
  );
  await set('mkdir -p /run/dbus && dbus-daemon --system --fork');
  polkitd = laptop.spawn(['/usr/lib/polkit-1/polkitd', '--no-debug'], { stdio: 'ignore' });
  await set('for i in $(seq 100); do pkaction >/dev/null 2>&1 && break; sleep 0.1; done');
  const agent = path.join(path.dirname(CLI[1] ?? ''), 'kiwistack-agent.js');
  const argv = [NODE, path.join(REPOSITORY, 'test/world/agent-listener.ts'), NODE, agent];
  listener = await startInRoom(laptop, argv, { what: 'the agent', logFile: path.join(dir, 'agent.log') });
  reader = await world.plugIn(laptop, SERIAL);
});
afterAll(async () => {
  await reader.stop();
  await listener.stop();
  polkitd.kill('SIGTERM');
  await world.destroy();
  await rm(dir, { recursive: true, force: true });
});

/** Runs the command line program as somebody who is not root. */
function as(uid: number, args: readonly string[], input = ''): Promise<RunResult> {
  const become = ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs'];
  return laptop.run([...become, ...CLI, ...args], { input, timeoutMs: 300_000 });
}
const resultOf = ({ stdout }: RunResult): Record<string, unknown> =>
  JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>;

describe('somebody who is not root', () => {
  it('is told so where polkit does not let him', async () => {
    for (const verb of ['status', 'doctor', 'enroll', 'check', 'renew', 'mend', 'uninstall']) {
      const said = await as(BOB, [verb, '--json']);
      expect(resultOf(said), verb).toMatchObject({ error: { code: 'not-allowed' } });
      expect(said.code).toBe(6);
    }
  });

  it('enrolls the laptop: key, PIN and touch are on his side', async () => {
    const said = await as(ANN, ['enroll', '--json', '--pin-fd', '0', '--wait', '10'], `${PIN}\n`);
    expect(said, said.stdout + said.stderr + listener.log()).toMatchObject({ code: 0 });
    expect(resultOf(said)).toMatchObject({ result: 'green' });
    const types = said.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types).toEqual(
      expect.arrayContaining(['key-found', 'slice-proven', 'pin-expected', 'touch-expected', 'touched']),
    );
  });

  it('sees what root sees, with the same words', async () => {
    const [his, roots] = [await as(ANN, ['status']), await world.cli(laptop, ['status'])];
    expect(his.stdout.replaceAll(/\d/g, '0')).toBe(roots.stdout.replaceAll(/\d/g, '0'));
    expect(his.code).toBe(0);
    expect(resultOf(await as(ANN, ['renew', '--json']))).toMatchObject({ result: 'renewed' });
    expect((await as(ANN, ['mend', '--json'])).code).toBe(0);
  });

  it('uninstalls, and no agent stays', async () => {
    expect(await as(ANN, ['uninstall', '--json'])).toMatchObject({ code: 0 });
    await expect
      .poll(
        async () => (await laptop.run(['/usr/bin/pgrep', '-f', 'kiwistack-agent.js'])).stdout.trim().split('\n').length,
      )
      .toBe(1);
  });
});
