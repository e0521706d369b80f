import type { Clock } from '../../core/clock.ts';

/** What a command receives from its environment. */
export interface CommandContext {
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
}

/** The options that every command has. */
export interface SliceFlags {
  readonly dir: string;
  readonly json?: boolean;
}
