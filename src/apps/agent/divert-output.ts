import type { Conversation } from '../../laptop/service/serve-caller.ts';

/**
 * Everything that this process prints from now on goes to the caller: the agent is the command line program, at a terminal that is
 * somewhere else.
 */
export function divertOutput(say: Conversation['say']): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
      say(name, typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
      const done = rest.find((value) => typeof value === 'function') as (() => void) | undefined;
      if (done !== undefined) process.nextTick(done);
      return true;
    };
    process[name].write = write;
  }
}
