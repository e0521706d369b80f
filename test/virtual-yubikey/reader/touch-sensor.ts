/** auto: somebody touches after the delay; manual: only `touch()`; never: nobody does. */
export type TouchMode = 'auto' | 'manual' | 'never';

export interface TouchSettings {
  readonly mode: TouchMode;
  readonly delayMs: number;
  /** How long a key blinks before it gives up; 15 s on a YubiKey. */
  readonly timeoutMs: number;
}

interface Blinking {
  readonly serial: number;
  readonly end: (touched: boolean) => void;
}

/** How long a finger rests on the key: a touch this much too early still counts, as it does in the hand. */
const FINGER_RESTS_MS = 1_000;

/** The finger over all keys of a reader. */
export class TouchSensor {
  #settings: TouchSettings;
  readonly #blinking = new Set<Blinking>();
  #restsUntil = 0;

  constructor(settings: TouchSettings) {
    this.#settings = settings;
  }

  /** Blinks until touched, timed out, or pulled. */
  async wait(serial: number, pulled: AbortSignal): Promise<boolean> {
    const { mode, delayMs, timeoutMs } = this.#settings;
    if (mode === 'auto' && delayMs === 0) return true;
    if (mode !== 'never' && performance.now() < this.#restsUntil) {
      this.#restsUntil = 0;
      return true;
    }
    return new Promise((resolve) => {
      const touchComes = mode === 'auto' && delayMs < timeoutMs;
      const timer = setTimeout(() => blinking.end(touchComes), touchComes ? delayMs : timeoutMs);
      const onPull = (): void => blinking.end(false);
      const blinking: Blinking = {
        serial,
        end: (touched) => {
          clearTimeout(timer);
          pulled.removeEventListener('abort', onPull);
          this.#blinking.delete(blinking);
          resolve(touched);
        },
      };
      pulled.addEventListener('abort', onPull);
      this.#blinking.add(blinking);
    });
  }

  /** Touches; returns the serials that were blinking. With none, the finger rests for a moment for the next that does. */
  touch(): number[] {
    const blinking = [...this.#blinking];
    if (blinking.length === 0) this.#restsUntil = performance.now() + FINGER_RESTS_MS;
    for (const one of blinking) one.end(true);
    return blinking.map((one) => one.serial);
  }

  /** Changes what the finger does from now on; a key that blinks already goes on under the old settings. */
  configure(change: Partial<TouchSettings>): void {
    this.#settings = { ...this.#settings, ...change };
    this.#restsUntil = 0;
  }

  get settings(): TouchSettings {
    return this.#settings;
  }

  get blinking(): number[] {
    return [...this.#blinking].map((one) => one.serial);
  }
}
