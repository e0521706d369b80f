// Runs inside the sandbox, where the virtual YubiKeys are: does with the token what its test says, one command a line.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { KiwiError, toKiwiError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { openToken, type EnrollmentKey } from '../../../src/token/token.ts';

export interface DriverCommand {
  readonly id: number;
  readonly do: 'find' | 'tries' | 'sign' | 'abort' | 'children';
  readonly serial?: number;
  readonly waitMs?: number;
  readonly choose?: number;
  readonly pin?: string;
  readonly data?: string;
  /** How long the person types. */
  readonly pinDelayMs?: number;
}

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const token = await openToken();
let key: EnrollmentKey | undefined;
let abort = new AbortController();

createInterface({ input: process.stdin })
  .on('line', (line) => void obey(JSON.parse(line) as DriverCommand))
  .on('close', () => void token.close().then(() => process.exit(0)));
say({ event: 'ready' });

async function obey(command: DriverCommand): Promise<void> {
  const started = performance.now();
  try {
    const result = await act(command);
    say({ id: command.id, ok: true, ms: performance.now() - started, result });
  } catch (error) {
    const known = error instanceof KiwiError || (error instanceof Error && error.name === 'AbortError');
    const { code, detail } = toKiwiError(error);
    const unknown = known ? {} : { stack: error instanceof Error ? error.stack : String(error) };
    say({ id: command.id, ok: false, ms: performance.now() - started, code, detail, ...unknown });
  }
}

async function act(command: DriverCommand): Promise<unknown> {
  const { signal } = abort;
  switch (command.do) {
    case 'abort':
      abort.abort();
      abort = new AbortController();
      return undefined;
    case 'find': {
      const { choose } = command;
      key = await token.find({
        waitMs: command.waitMs ?? 0,
        signal,
        ...(command.serial === undefined ? {} : { serial: command.serial }),
        events: {
          waitingForKey: ({ code, detail }) => say({ event: 'waiting', state: `${code} (${detail ?? ''})` }),
          ...(choose === undefined
            ? {}
            : {
                several: (keys) => {
                  const list = keys.map(({ serial, role, customer }) => `${serial} ${role ?? ''} ${customer ?? ''}`);
                  say({ event: 'several', state: list.join(', ') });
                  return Promise.resolve(choose);
                },
              }),
        },
      });
      const { serial, slot, pinPolicy, touchPolicy, algorithm } = key;
      return { serial, slot, pinPolicy, touchPolicy, algorithm, certificate: key.certificate.pem };
    }
    case 'children': {
      const pids = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
      return pids.filter((pid) => pid !== '').map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    }
    case 'tries':
      return token.pinTries(found());
    case 'sign': {
      const pin = new SecretBytes(Buffer.from(command.pin ?? ''));
      const signature = await token.sign(found(), Buffer.from(command.data ?? ''), {
        askPin: async (state, refused) => {
          if (refused !== undefined) throw refused;
          say({ event: 'pin', state });
          await sleep(command.pinDelayMs ?? 0);
          return pin;
        },
        onTouchExpected: () => say({ event: 'touch' }),
        onTouched: () => say({ event: 'touched' }),
        signal,
      });
      return { signature: Buffer.from(signature).toString('base64') };
    }
  }
}

function found(): EnrollmentKey {
  if (key === undefined) throw new TypeError('find first');
  return key;
}
