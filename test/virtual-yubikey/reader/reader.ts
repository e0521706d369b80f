import { mkdirSync, realpathSync } from 'node:fs';
import { FaultScript, type Fault } from './faults.ts';
import { insertKey, type InsertedKey } from './inserted-key.ts';
import { slotState, untilSlotChanged } from './pcscd-state.ts';
import { PCSCD_SOCKET, startPcscd, VPCD_PORTS, type Pcscd } from './pcscd.ts';
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

/** One slot of vpcd. */
interface Place {
  readonly port: number;
  readonly slot: number;
  key: InsertedKey | 'coming' | undefined;
  /** pcscd's count of insertions and removals when it had noticed the key. */
  events: number;
  /** Resolves when pcscd knows that the last key is gone. */
  free: Promise<void>;
}

/** pcscd with one or two places for a key, a finger, and things that go wrong. */
export class Reader {
  readonly touch: TouchSensor;
  readonly faults = new FaultScript();
  readonly #pcscd: Pcscd;
  readonly #places: readonly Place[];
  #stopping = false;

  private constructor(pcscd: Pcscd, places: 1 | 2, touch: TouchSettings) {
    this.#pcscd = pcscd;
    this.#places = VPCD_PORTS.slice(0, places).map((port, slot) => ({
      port,
      slot,
      key: undefined,
      events: 0,
      free: Promise.resolve(),
    }));
    this.touch = new TouchSensor(touch);
  }

  /** Starts pcscd in the current namespaces, inserts the keys, and resolves when tools can see them. */
  static async start(directory: string, places: 1 | 2, keys: readonly string[], touch: TouchSettings): Promise<Reader> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const reader = new Reader(await startPcscd(directory, places), places, touch);
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
    const place = this.#places.find((one) => one.key === undefined);
    if (!place) throw new Error('no place is free: pull a key first, or start the reader with two places');
    place.key = 'coming';
    try {
      await place.free;
      const { events } = await slotState(PCSCD_SOCKET, place.slot);
      const { touch, faults } = this;
      const key = await insertKey(place.port, stateFile, { touch, faults, pulled: () => this.#emptied(place) });
      place.key = key;
      place.events = (await untilSlotChanged(PCSCD_SOCKET, place.slot, events, true)).events;
      return key.card.state.serial;
    } catch (error) {
      place.key = undefined;
      throw error;
    }
  }

  /** Pulls the key with this serial, or all. A running command fails at once; resolves when pcscd has seen it (0.4 s). */
  async pull(serial?: number): Promise<number[]> {
    const keys = this.#keys().filter((key) => serial === undefined || key.card.state.serial === serial);
    if (keys.length === 0)
      throw new Error(serial === undefined ? 'no key is inserted' : `no key ${serial} is inserted`);
    await Promise.all(keys.map((key) => key.pull()));
    await Promise.all(this.#places.map((place) => place.free));
    return keys.map((key) => key.card.state.serial);
  }

  status(): ReaderStatus {
    return {
      touch: this.touch.settings,
      blinking: this.touch.blinking,
      faults: this.faults.waiting,
      keys: this.#places.flatMap(({ key }, slot) => (typeof key === 'object' ? [describe(key, slot)] : [])),
    };
  }

  /** Resolves when pcscd has ended by itself. */
  get ended(): Promise<void> {
    return new Promise((resolve) => this.#pcscd.process.once('exit', () => resolve()));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#keys().map((key) => key.pull()));
    await this.#pcscd.stop();
  }

  #emptied(place: Place): void {
    place.key = undefined;
    if (this.#stopping) return;
    // If pcscd is gone there is nobody left to notice.
    place.free = untilSlotChanged(PCSCD_SOCKET, place.slot, place.events, false).then(
      () => undefined,
      () => undefined,
    );
  }

  #keys(): InsertedKey[] {
    return this.#places.map(({ key }) => key).filter((key) => typeof key === 'object');
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
