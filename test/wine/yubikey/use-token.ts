// Runs in Node for Windows, beside the token host: does with the token what the file says that is named, and prints what came of each.
import { readFileSync, writeFileSync } from 'node:fs';

import { toKiwiError } from '../../../src/core/errors.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { openToken, type EnrollmentKey, type Token } from '../../../src/token/token.ts';

export type Wish =
  | { readonly do: 'find'; readonly waitMs?: number; /** Written when the wait begins. */ readonly tell?: string }
  | { readonly do: 'tries' }
  /** Several PINs: the next one when one was refused. */
  | { readonly do: 'sign'; readonly pins: readonly string[]; readonly data: string }
  | { readonly do: 'go'; readonly to: string };

export interface Outcome {
  readonly events: readonly string[];
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly detail: string | undefined; readonly hint: string | undefined };
}

const wishes = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as readonly Wish[];
const outcomes: Outcome[] = [];
let key: EnrollmentKey | undefined;

function found(): EnrollmentKey {
  if (key === undefined) throw new TypeError('find first');
  return key;
}

async function fulfil(wish: Wish, token: () => Promise<Token>, events: string[]): Promise<unknown> {
  switch (wish.do) {
    case 'go':
      process.chdir(wish.to);
      return process.cwd();
    case 'find': {
      const waitingForKey = ({ code }: { code: string }): void => {
        events.push(`waiting: ${code}`);
        if (wish.tell !== undefined) writeFileSync(wish.tell, code);
      };
      key = await (await token()).find({ waitMs: wish.waitMs ?? 0, events: { waitingForKey } });
      const { serial, slot, pinPolicy, touchPolicy, algorithm, reader } = key;
      return { serial, slot, pinPolicy, touchPolicy, algorithm, reader };
    }
    case 'tries':
      return (await token()).pinTries(found());
    case 'sign': {
      const pins = [...wish.pins];
      const signature = await (
        await token()
      ).sign(found(), Buffer.from(wish.data), {
        askPin: (state, refused) => {
          events.push(
            `pin: ${state}${refused === undefined ? '' : ` after ${refused.code} (${refused.detail ?? ''})`}`,
          );
          const pin = pins.shift();
          if (pin === undefined) return Promise.reject(refused ?? new TypeError('no PIN'));
          return Promise.resolve(new SecretBytes(Buffer.from(pin)));
        },
        onTouchExpected: () => void events.push('touch'),
        onTouched: () => void events.push('touched'),
      });
      return Buffer.from(signature).toString('base64');
    }
  }
}

async function main(): Promise<void> {
  let opened: Token | undefined;
  const open = async (): Promise<Token> => (opened ??= await openToken());
  for (const wish of wishes) {
    const events: string[] = [];
    try {
      outcomes.push({ result: await fulfil(wish, open, events), events });
    } catch (error) {
      const { code, detail, hint } = toKiwiError(error);
      outcomes.push({ error: { code, detail, hint }, events });
    }
  }
  await opened?.close();
  process.stdout.write(`${JSON.stringify(outcomes)}\n`);
}

void main();
