import type { Clock } from '../../core/clock.ts';

/** What a command gets from outside. */
export interface CommandContext {
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
}
