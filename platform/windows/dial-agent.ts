import path from 'node:path';
import { Duplex } from 'node:stream';

import { KiwiError } from '../../src/core/errors.ts';
import { spawnProgram } from '../../src/programs/spawn-program.ts';
import { callHelper, HELPER } from './helper.ts';
import type { WindowsSystem } from './system.ts';

/** `AGENT_PIPE` in native/windows-helper/service.h is the same. */
export const AGENT_PIPE = String.raw`\\.\pipe\kiwistack-enroll`;

/** Whether the agent's service has made its pipe; says nothing of who has. */
export async function hasAgent(system: WindowsSystem): Promise<boolean> {
  return (await callHelper(system, ['has-pipe', AGENT_PIPE])).code === 0;
}

/**
 * A connection to the agent's pipe. The helper makes it, which looks at who owns the pipe on the very handle that is then used: Node cannot,
 * and a look before the connection could be at another pipe.
 * @throws KiwiError `agent-untrusted` when it is not the system's, `agent-unavailable`
 */
export async function dialAgent(system: WindowsSystem): Promise<Duplex> {
  const program = path.join(system.program, 'kiwistack-helper.exe');
  const child = await spawnProgram({ program, args: ['connect', AGENT_PIPE] });
  child.stderr.resume();
  const connection = Duplex.from({ readable: child.stdout, writable: child.stdin });
  // Reading tells of it too; without a listener it would end the process.
  connection.on('error', () => undefined);
  connection.once('close', () => {
    child.kill();
  });
  void child.exited.then(({ code }) => {
    if (code === 0) return;
    const untrusted = new KiwiError('agent-untrusted', { detail: AGENT_PIPE });
    const unavailable = new KiwiError('agent-unavailable', { detail: `kiwistack-helper connect: exit code ${code}` });
    connection.destroy(code === HELPER.denied ? untrusted : unavailable);
  });
  return connection;
}
