import type { Clock } from '../../../src/core/clock.ts';

/** Time that passes only when somebody lets it pass: half a minute of waiting for an answer costs none. */
export interface VirtualClock extends Clock {
  /** Begins at the true time: step-ca's certificates and TLS are judged by it. */
  restart(): void;
  pass(ms: number): void;
}

export function virtualClock(): VirtualClock {
  let start = Date.now();
  let before = 0;
  let passed = 0;
  return {
    restart() {
      start = Date.now();
      before += passed;
      passed = 0;
    },
    pass: (ms) => void (passed += ms),
    // Whole milliseconds, as every wall clock; waits may have parts of one.
    now: () => Math.floor(start + passed),
    monotonic: () => before + passed,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      passed += ms;
      // What was sent before a wait is under way after it.
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
  };
}
