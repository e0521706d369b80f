import { describe, expect, it } from 'vitest';

import type { Clock } from '../../../../src/core/clock.ts';
import { waitForNodeKey } from '../../../../src/laptop/fleet-agent/wait-for-node-key.ts';
import type { FleetAgent } from '../../../../src/laptop/system/fleet-agent.ts';

/** A clock that a sleep turns on, and an agent whose log and key follow from the time. */
function waiting(log: (ms: number) => string, enrolledAt = Infinity): { over: Promise<void>; waited: () => number } {
  let ms = 0;
  const clock: Clock = {
    now: () => ms,
    monotonic: () => ms,
    sleep: (more) => {
      ms += more;
      return Promise.resolve();
    },
  };
  const enrolled = (): boolean => ms >= enrolledAt;
  const agent = {
    orbitEnrolled: () => Promise.resolve(enrolled()),
    log: () => Promise.resolve(log(ms)),
    status: () =>
      Promise.resolve({ version: '1.48.0', configuredByUs: true, running: true, orbitEnrolled: enrolled() }),
  } as unknown as FleetAgent;
  return { over: waitForNodeKey({ agent, clock, timeoutMs: 60_000, installedAt: 0 }), waited: () => ms };
}

const refused = 'INF orbit enroll attempt failed error="received status 401 Authentication failed"';
const unreachable = 'ERR pinging server error="dial tcp 10.0.0.1:8412: connection refused"';

describe('waiting for the agent to enroll', () => {
  it('ends with the key', async () => {
    const { over, waited } = waiting(() => '', 700);
    await over;
    expect(waited()).toBe(700);
  });

  it('ends when the server refuses, without waiting for the deadline', async () => {
    const { over, waited } = waiting(() => refused);
    await expect(over).rejects.toMatchObject({ code: 'fleet-refused' });
    expect(waited()).toBeLessThan(10_000);
  });

  it('takes a no that is followed by success for none', async () => {
    const { over } = waiting((ms) => (ms < 3000 ? refused : ''), 4000);
    await expect(over).resolves.toBeUndefined();
  });

  it('keeps waiting while the server is not reachable, and reports that at the deadline', async () => {
    const { over, waited } = waiting(() => unreachable);
    await expect(over).rejects.toMatchObject({ code: 'fleet-unreachable' });
    expect(waited()).toBeGreaterThanOrEqual(60_000);
  });

  it('believes what was said last', async () => {
    const { over } = waiting((ms) => (ms < 5000 ? unreachable : ''), 6000);
    await expect(over).resolves.toBeUndefined();
  });
});
