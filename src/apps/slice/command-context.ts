import type { Clock } from '../../core/clock.ts';

/** What a command needs of the world. */
export interface CommandContext {
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
}
