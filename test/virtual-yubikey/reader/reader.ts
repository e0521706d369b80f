import { mkdirSync, realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultScript, type Fault } from './faults.ts';
import { insertKey, type InsertedKey } from './inserted-key.ts';
import { startPcscd, VPCD_PORTS, type Pcscd } from './pcscd.ts';
import { TouchSensor, type TouchSettings } from './touch-sensor.ts';

/** What `show` tells. */
export interface ReaderStatus {
  readonly touch: TouchSettings;
  readonly blinking: number[];
  readonly faults: Fault[];
  readonly keys: {
    readonly slot: number;
    readonly serial: number;
    readonly firmware: string;
    readonly fips: boolean;
    readonly stateFile: string;
    readonly pinTriesLeft: number;
    readonly pukTriesLeft: number;
    readonly occupiedSlots: string[];
    readonly session: InsertedKey['card']['session'];
    readonly apdus: number;
  }[];
}

/** pcscd with two places for a key, a finger, and things that go wrong. */
export class Reader {
  readonly touch: TouchSensor;
  readonly faults = new FaultScript();
  readonly #pcscd: Pcscd;
  readonly #places: (InsertedKey | 'reserved' | undefined)[] = VPCD_PORTS.map(() => undefined);

  private constructor(pcscd: Pcscd, touch: TouchSettings) {
    this.#pcscd = pcscd;
    this.touch = new TouchSensor(touch);
  }

  /** Starts pcscd in the current namespaces, inserts the keys, and resolves when tools can see them. */
  static async start(directory: string, keys: readonly string[], touch: TouchSettings): Promise<Reader> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const reader = new Reader(await startPcscd(directory), touch);
    try {
      await Promise.all(keys.map((key) => reader.insert(key)));
    } catch (error) {
      await reader.stop();
      throw error;
    }
    return reader;
  }

  /** Plugs a key in and resolves when pcscd has seen it. */
  async insert(path: string): Promise<number> {
    const stateFile = realpathSync(path);
    // Two cards writing one file would undo each other's changes.
    if (this.#keys().some((key) => key.stateFile === stateFile)) throw new Error('this key is inserted already');
    const place = this.#places.indexOf(undefined);
    const port = VPCD_PORTS[place];
    if (port === undefined) throw new Error('both places are taken; pull a key first');
    this.#places[place] = 'reserved';
    const surroundings = {
      touch: this.touch,
      faults: this.faults,
      pulled: () => void (this.#places[place] = undefined),
    };
    try {
      const key = await insertKey(port, stateFile, surroundings);
      this.#places[place] = key;
      await key.seen;
      // pcscd publishes the reader's state right after it has the ATR.
      await sleep(5);
      return key.card.state.serial;
    } catch (error) {
      this.#places[place] = undefined;
      throw error;
    }
  }

  /** Pulls the key with this serial, or all; returns the serials pulled. pcscd notices within 0.4 s. */
  pull(serial?: number): number[] {
    const keys = this.#keys().filter((key) => serial === undefined || key.card.state.serial === serial);
    if (keys.length === 0)
      throw new Error(serial === undefined ? 'no key is inserted' : `no key ${serial} is inserted`);
    for (const key of keys) key.pull();
    return keys.map((key) => key.card.state.serial);
  }

  status(): ReaderStatus {
    return {
      touch: this.touch.settings,
      blinking: this.touch.blinking,
      faults: this.faults.waiting,
      keys: this.#places.flatMap((key, slot) => (key === undefined || key === 'reserved' ? [] : [describe(key, slot)])),
    };
  }

  /** Resolves when pcscd has ended by itself. */
  get ended(): Promise<void> {
    return new Promise((resolve) => this.#pcscd.process.once('exit', () => resolve()));
  }

  async stop(): Promise<void> {
    for (const key of this.#keys()) key.pull();
    await this.#pcscd.stop();
  }

  #keys(): InsertedKey[] {
    return this.#places.filter((key) => key !== undefined && key !== 'reserved');
  }
}

function describe(key: InsertedKey, slot: number): ReaderStatus['keys'][number] {
  const { state } = key.card;
  return {
    slot,
    serial: state.serial,
    firmware: state.firmware,
    fips: state.fips,
    stateFile: key.stateFile,
    pinTriesLeft: state.pin.left,
    pukTriesLeft: state.puk.left,
    occupiedSlots: Object.keys(state.slots).sort(),
    session: key.card.session,
    apdus: key.apdus(),
  };
}
