import { Socket } from 'node:net';

import { selectAuthority } from '../../../platform/select.ts';
import { peerCredentials } from '../../../native/peer-credentials/index.ts';
import { EXIT } from '../../core/error-codes.ts';
import { remoteToken } from '../../laptop/service/remote-token.ts';
import { serveCaller, type Conversation } from '../../laptop/service/serve-caller.ts';
import type { Caller } from '../../laptop/system/authority.ts';
import type { AgentRequest } from '../../local-api/messages.ts';
import { VERSION } from '../../core/version.ts';
import { runCommands } from '../../terminal/run-commands.ts';
import { enrollProgram } from '../enroll/enroll-program.ts';
import { argumentsOf } from './arguments-of.ts';
import { divertOutput } from './divert-output.ts';

// systemd hands over the connection as standard input (Accept=yes).
const CONNECTION = 0;
// A caller who goes away must not end a command that finishes without him.
process.on('SIGPIPE', () => undefined);

if (process.argv.includes('--version')) process.stdout.write(`${VERSION}\n`);
else start();

function start(): void {
  let caller: Caller;
  try {
    caller = peerCredentials(CONNECTION);
  } catch {
    process.stderr.write(
      'kiwistack-agent is started by systemd, for a connection to its socket; see kiwistack-enroll(8).\n',
    );
    process.exitCode = EXIT.usage;
    return;
  }
  serve(caller);
}

function serve(caller: Caller): void {
  const socket = new Socket({ fd: CONNECTION, readable: true, writable: true });
  const carryOut = async (request: AgentRequest, conversation: Conversation): Promise<number> => {
    divertOutput(conversation.say);
    // The commands listen for the signal of a terminal: it undoes their changes.
    conversation.signal.addEventListener('abort', () => process.emit('SIGINT'), { once: true });
    const program = enrollProgram({ openToken: () => Promise.resolve(remoteToken(conversation)) });
    const reader = { is: 'staff', usesNpx: false } as const;
    await runCommands(program, { reader, argv: [process.execPath, 'kiwistack-enroll', ...argumentsOf(request)] });
    return Number(process.exitCode ?? EXIT.fault);
  };
  void serveCaller(socket, { caller, authority: selectAuthority() }, carryOut).finally(() => process.exit());
}
