import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { systemErrorCode } from '../core/system-error-code.ts';

/** What pcscd knows about a reader and PKCS#11 does not report. */
export interface ReaderState {
  readonly reader: string;
  readonly cardPresent: boolean;
  /** Another program has exclusive access to it. */
  readonly exclusive: boolean;
}

const SOCKET = '/run/pcscd/pcscd.comm';
/**
 * From pcsc-lite's winscard_msg.h: a header of two 32-bit numbers (size of what follows, command), in the machine's order.
 */
const GET_READERS_STATE = 0x12;
/** From eventhandler.h: name[128], events, state, sharing, ATR[33] and padding, ATR length, protocol; 16 of them. */
const NAME_LENGTH = 128;
const RECORD_LENGTH = 184;
const RECORDS = 16;
const STATE_PRESENT = 0x0004;
const SHARING_EXCLUSIVE = -1;
/** pcscd answers within milliseconds, from a thread that waits for no reader. */
const PATIENCE_MS = 2000;

/** `silent`: pcscd takes the connection and does not answer, as when it hangs. undefined: it cannot be asked. */
export type PcscdReaders = readonly ReaderState[] | 'silent' | undefined;

/**
 * Asks pcscd itself for its readers. It only helps to tell why a key does not answer: pcsc-lite guarantees this socket's
 * protocol to its own library only, so anything unexpected means "unknown" and is never an error. Linux only.
 */
export async function readPcscdReaders(): Promise<PcscdReaders> {
  if (process.platform !== 'linux') return undefined;
  const until = performance.now() + PATIENCE_MS;
  let answer = await ask();
  while (answer === 'full' && performance.now() < until) {
    await sleep(100);
    answer = await ask();
  }
  if (answer === 'full') return 'silent';
  return answer === undefined || answer === 'silent' ? answer : parseReaderStates(answer);
}

/** Parses pcscd's answer; undefined when it does not have the expected form. */
export function parseReaderStates(answer: Buffer): ReaderState[] | undefined {
  if (answer.length !== RECORDS * RECORD_LENGTH) return undefined;
  return Array.from({ length: RECORDS }, (_, index) =>
    answer.subarray(index * RECORD_LENGTH, (index + 1) * RECORD_LENGTH),
  ).flatMap((record) => {
    const end = record.indexOf(0);
    if (end < 1 || end >= NAME_LENGTH) return [];
    return {
      reader: record.toString('utf8', 0, end),
      cardPresent: (record.readUInt32LE(NAME_LENGTH + 4) & STATE_PRESENT) !== 0,
      exclusive: record.readInt32LE(NAME_LENGTH + 8) === SHARING_EXCLUSIVE,
    };
  });
}

/** `full`: so many connections wait for pcscd to take them that the system refuses another one (it lets one or two wait). */
function ask(): Promise<Buffer | 'silent' | 'full' | undefined> {
  return new Promise((resolve) => {
    const socket = connect(SOCKET);
    const chunks: Buffer[] = [];
    let size = 0;
    let connected = false;
    const end = (answer?: Buffer | 'silent' | 'full'): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PATIENCE_MS, () => end(connected && size === 0 ? 'silent' : undefined));
    socket.once('error', (error) => end(systemErrorCode(error) === 'EAGAIN' ? 'full' : undefined));
    socket.once('end', () => end());
    socket.once('connect', () => {
      connected = true;
      const header = Buffer.alloc(8);
      header.writeUInt32LE(GET_READERS_STATE, 4);
      socket.write(header);
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= RECORDS * RECORD_LENGTH) end(Buffer.concat(chunks));
    });
  });
}
