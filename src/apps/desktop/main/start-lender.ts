import { KiwiError, toKiwiError } from '../../../core/errors.ts';
import { parseStrictJson } from '../../../core/strict-json.ts';
import type { CallOptions } from '../../../local-api/agent-client.ts';
import { fromLender, MAX_LENDER_LINE, type FromLender, type ToLender } from '../../../local-api/lender-messages.ts';
import { linesOf, writeLine } from '../../../local-api/lines.ts';
import { spawnProgram } from '../../../programs/spawn-program.ts';
import type { ShownSlice } from '../view/view.ts';

type Answer = Awaited<ReturnType<NonNullable<CallOptions['answer']>>>;

/** The key lender of one enrollment. */
export interface Lender {
  /** Answers the agent. @throws KiwiError the lender's reason, and `agent-lost` when it has ended */
  readonly answer: NonNullable<CallOptions['answer']>;
  /** What the person has typed. */
  enterPin(pin: string): void;
  chooseKey(serial: number): void;
  /** Ends it, and with it whatever it waits for. */
  end(): void;
}

/**
 * Starts the key lender as a child of the window.
 * @param program program and arguments
 * @param shown what is on the screen
 */
export async function startLender(
  [program, ...args]: readonly [string, ...string[]],
  shown: () => ShownSlice | undefined,
  onSaid: (said: Exclude<FromLender, { type: 'answer' }>) => void,
): Promise<Lender> {
  const child = await spawnProgram({ program, args });
  child.stderr.resume();
  let open: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  const say = (message: ToLender): void => {
    writeLine(child.stdin, message);
  };
  const listen = async (): Promise<void> => {
    for await (const line of linesOf(child.stdout, MAX_LENDER_LINE)) {
      const said = fromLender.parse(parseStrictJson(line, MAX_LENDER_LINE));
      if (said.type !== 'answer') onSaid(said);
      else if (said.answer.type === 'failed') open?.reject(said.answer.error);
      else if (said.answer.type !== 'cancel') open?.resolve(said.answer);
    }
    throw new KiwiError('cancelled', { detail: 'the key lender has ended' });
  };
  void listen().catch((error: unknown) => {
    child.kill();
    open?.reject(toKiwiError(error));
  });
  return {
    answer: (question) =>
      new Promise<Answer>((resolve, reject) => {
        open = { resolve, reject };
        const onScreen = shown();
        say({
          type: 'question',
          question,
          ...(onScreen === undefined ? {} : { shown: onScreen }),
        });
      }),
    enterPin: (pin) => {
      say({ type: 'pin', pin: Buffer.from(pin, 'utf8').toString('base64') });
    },
    chooseKey: (serial) => {
      say({ type: 'key-chosen', serial });
    },
    end: () => {
      child.stdin.end();
      child.kill('SIGTERM');
    },
  };
}
