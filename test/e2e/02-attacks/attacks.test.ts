import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ERROR_CODES } from '../../../src/core/error-codes.ts';
import { publicError } from '../../../src/protocol/error.ts';
import { alteredStatements } from './gateway/altered-statements.ts';
import { falseClaims } from './gateway/false-claims.ts';
import { deviceAttacks } from './gateway/devices.ts';
import { describeFloods, SlowClients } from './gateway/floods.ts';
import { joseAttacks } from './gateway/jose.ts';
import { describeOutages } from './gateway/outages.ts';
import { describeRepeats } from './gateway/repeats.ts';
import { requestAttacks } from './gateway/requests.ts';
import { sessionAttacks } from './gateway/sessions.ts';
import { otherKeys } from './gateway/other-keys.ts';
import { describeLaptopAttacks } from './laptop/laptop-attacks.ts';
import { Siege, type Attack, type Attempt } from './siege.ts';

let siege: Siege;
let lift = (): Promise<void> => Promise.resolve();
let ran = 0;
const slow = new SlowClients();
beforeAll(async () => {
  siege = await Siege.lay();
  lift = () => siege.lift();
  await slow.connect(siege);
});
afterAll(async () => {
  slow.stop();
  process.stdout.write(`attacks: ${ran} cases ran\n`);
  await lift();
});

/** The answer is the public shape of the refusal and nothing more; audit and session are as they should be. */
function expectRefused({ code, why }: Attack, { answer, sessionId }: Attempt): void {
  const { message, hint, http, retryable } = ERROR_CODES[code];
  expect(answer.code, `${answer.body}\n${siege.world.sliceLog().split('\n').slice(-6).join('\n')}`).toBe(code);
  expect(answer.status).toBe(http);
  const body = publicError.parse(JSON.parse(answer.body));
  expect(body).toEqual({ code, message, hint, retryable, requestId: body.requestId });
  const audit = siege.rows(
    "SELECT * FROM audit WHERE request_id = ? AND code = ? AND decision <> 'alarm'",
    body.requestId,
    code,
  );
  if (why !== undefined) expect(audit.map((entry) => entry['why'])).toEqual([expect.stringMatching(why)]);
  if (sessionId === undefined) return;
  expect(audit).toHaveLength(1);
  const [session] = siege.rows('SELECT used_at, private_key FROM session WHERE id = ?', sessionId);
  expect(session?.['used_at']).toBeNull();
  expect(session?.['private_key']).not.toBeNull();
}

function describeAttacks(what: string, attacks: readonly Attack[]): void {
  describe(what, () => {
    /** What one attack has left is what the next one finds. */
    let last: string | undefined;
    test.each(attacks.map((attack) => [`${attack.name} → ${attack.code}`, attack] as const))(
      '%s',
      async (_, attack) => {
        ran++;
        await attack.prepare?.(siege);
        const before = await siege.snapshot();
        const attempt = await attack.attack(siege);
        expectRefused(attack, attempt);
        last = await siege.snapshot();
        expect(last).toBe(before);
      },
    );
  });
}

describe('the gateway, asked again', () => {
  describeRepeats(() => siege);
});

describe('the gateway, while', () => {
  describeOutages(() => siege);
});

describe('the gateway, under a flood:', () => {
  describeFloods(() => siege);
});

describe('the gateway refuses', () => {
  describeAttacks('a statement that was altered:', alteredStatements);
  describeAttacks('a statement that is not true:', falseClaims);
  describeAttacks('a statement by', otherKeys);
  describeAttacks('a statement with', joseAttacks);
  describeAttacks('an exchange with', sessionAttacks);
  describeAttacks('a request with', requestAttacks);
  describeAttacks('a message of a device:', deviceAttacks);
});

describe('the laptop refuses,', () => {
  describeLaptopAttacks(
    () => siege,
    () => ran++,
  );
});

test(`the gateway has closed ${slow.count} connections of clients that never finished`, async () => {
  ran++;
  expect(await slow.closed()).toBeLessThan(120_000);
});
