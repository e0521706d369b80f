import { StatusWordError, SW, statusBytes } from './status-word.ts';

/** A command APDU, either one block of a chain or, from `CommandChain`, the whole command. */
export interface Command {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  readonly data: Buffer;
  /** Extended length was used, so the answer may come in one piece. */
  readonly extended: boolean;
}

const CHAINING = 0x10;
// A YubiKey takes objects up to 3052 bytes; the rest is room for the TLVs around them and for RSA-4096 imports.
const LONGEST_COMMAND = 4096;

/** Parses one APDU of ISO 7816-4, cases 1 to 4, short and extended. */
export function parseCommand(apdu: Buffer): Command {
  if (apdu.length < 4) throw new StatusWordError(SW.wrongLength);
  const [cla = 0, ins = 0, p1 = 0, p2 = 0] = apdu;
  const command = (data: Buffer, extended: boolean): Command => ({ cla, ins, p1, p2, data, extended });
  const body = apdu.subarray(4);
  // Nothing, or Le alone: a fifth byte without data is Le, also when it is 00.
  if (body.length <= 1) return command(Buffer.alloc(0), false);
  const first = body.readUInt8(0);
  if (first !== 0) {
    const rest = body.length - 1 - first;
    if (rest !== 0 && rest !== 1) throw new StatusWordError(SW.wrongLength);
    return command(body.subarray(1, 1 + first), false);
  }
  if (body.length < 3) throw new StatusWordError(SW.wrongLength);
  if (body.length === 3) return command(Buffer.alloc(0), true);
  const length = body.readUInt16BE(1);
  const rest = body.length - 3 - length;
  if (rest !== 0 && rest !== 2) throw new StatusWordError(SW.wrongLength);
  return command(body.subarray(3, 3 + length), true);
}

/** Joins chained blocks (CLA bit 0x10) into whole commands. */
export class CommandChain {
  #blocks: Command[] = [];

  /** Returns the whole command, or undefined if more blocks must follow. */
  add(block: Command): Command | undefined {
    const first = this.#blocks[0];
    // Another instruction in the middle of a chain drops what was collected, as the card does.
    if (first && (first.ins !== block.ins || first.p1 !== block.p1 || first.p2 !== block.p2)) this.#blocks = [];
    this.#blocks.push(block);
    const data = Buffer.concat(this.#blocks.map((part) => part.data));
    if (data.length > LONGEST_COMMAND) {
      this.#blocks = [];
      throw new StatusWordError(SW.wrongLength);
    }
    if ((block.cla & CHAINING) !== 0) return undefined;
    this.#blocks = [];
    return { ...block, data };
  }

  clear(): void {
    this.#blocks = [];
  }
}

/** Hands out a long answer in 256-byte blocks: `61xx` says how much waits, INS C0 fetches it. */
export class ResponseQueue {
  #rest: Buffer = Buffer.alloc(0);

  /** Starts a new answer and returns its first block. */
  begin(data: Buffer, extended: boolean): Buffer {
    if (extended) {
      this.#rest = Buffer.alloc(0);
      return Buffer.concat([data, statusBytes(SW.ok)]);
    }
    this.#rest = data;
    return this.next();
  }

  /** The next block, for GET RESPONSE. */
  next(): Buffer {
    const block = this.#rest.subarray(0, 256);
    this.#rest = this.#rest.subarray(256);
    const waiting = this.#rest.length;
    const statusWord = waiting === 0 ? SW.ok : 0x6100 | (waiting >= 256 ? 0 : waiting);
    return Buffer.concat([block, statusBytes(statusWord)]);
  }

  get isEmpty(): boolean {
    return this.#rest.length === 0;
  }

  clear(): void {
    this.#rest = Buffer.alloc(0);
  }
}
