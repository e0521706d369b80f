import type { ErrorCode } from '../../core/error-codes.ts';
import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import { NO_LOG, type Log } from '../../core/log.ts';
import type { ClaimEvent } from '../../laptop/claim/claim-at-first-start.ts';
import type { ClaimScreens } from '../../laptop/system/claim-screens.ts';
import type { ClaimStand } from '../../local-api/claim-stand.ts';
import { afterEvent, begun, promptLines, refused, type Standing } from './claim-stand.ts';

/** It goes on at the next start; or somebody has enrolled the laptop with a YubiKey meanwhile, and the token has no use any more. */
const QUIET: ReadonlySet<ErrorCode> = new Set(['cancelled', 'already-enrolled']);

/**
 * Shows how a claim stands to whoever is in front of the laptop, before anybody can log in: above the login prompts, and in the window of
 * the first start. The claim does not wait for it, and goes on if it fails.
 */
export class ClaimShow {
  readonly #screens: ClaimScreens;
  readonly #log: Log;
  #standing: Standing | undefined;
  /** What the screens have been told, or are about to be. */
  #told = { prompt: '[]', window: '' };
  #work: Promise<void> = Promise.resolve();

  constructor(screens: ClaimScreens, log: Log = NO_LOG) {
    this.#screens = screens;
    this.#log = log;
  }

  begin(customer: string): void {
    this.#become(begun(customer));
  }

  event(event: ClaimEvent, now: number): void {
    if (this.#standing !== undefined) this.#become(afterEvent(this.#standing, event, now));
  }

  /** The window says so, and ends; the prompts are as before. */
  claimed(): Promise<void> {
    this.#tell({ state: 'claimed', customer: this.#standing?.stand.customer ?? '' });
    return this.#work;
  }

  /** It has ended without having been claimed: to go on at the next start, or for good. */
  ended(error: KiwiError): Promise<void> {
    this.#tell(QUIET.has(error.code) ? undefined : refused(this.#standing?.stand.customer, error));
    return this.#work;
  }

  #become(standing: Standing): void {
    this.#standing = standing;
    this.#tell(standing.stand);
  }

  #tell(stand: ClaimStand | undefined): void {
    const lines = stand === undefined ? [] : promptLines(stand);
    const prompt = JSON.stringify(lines);
    const window = stand === undefined ? '' : JSON.stringify(stand);
    const before = this.#told;
    this.#told = { prompt, window };
    if (prompt !== before.prompt) this.#then(() => this.#screens.prompt(lines));
    if (window !== before.window) this.#then(() => this.#screens.window(stand === undefined ? undefined : window));
  }

  #then(act: () => Promise<void>): void {
    this.#work = this.#work.then(act).catch((thrown: unknown) => {
      const { code } = toKiwiError(thrown);
      this.#log.write('warning', 'claim-not-shown', { code });
    });
  }
}
