// In a laptop's room, where no systemd is: listens like kiwistack-agent.socket, and starts an agent for each connection, with the
// connection as its standard input (Accept=yes). argv: the agent's command line. Prints {"type":"ready"}.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

import { AGENT_SOCKET } from '../../src/local-api/agent-socket.ts';

const [, , program = '', ...args] = process.argv;
const folder = path.dirname(AGENT_SOCKET);
mkdirSync(folder, { recursive: true, mode: 0o755 });
rmSync(AGENT_SOCKET, { force: true });
let running = 0;
const server = createServer({ pauseOnConnect: true }, (connection) => {
  running++;
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const agent = spawn(program, args, { stdio: [connection, 'inherit', 'inherit'], env });
  connection.destroy();
  agent.once('close', () => {
    running--;
    process.stdout.write(`${JSON.stringify({ type: 'agent-ended', running })}\n`);
  });
});
server.maxConnections = 16;
server.listen(AGENT_SOCKET, () => {
  chmodSync(folder, 0o755);
  chmodSync(AGENT_SOCKET, 0o666);
  process.stdout.write('{"type":"ready"}\n');
});
process.once('SIGTERM', () => process.exit());
