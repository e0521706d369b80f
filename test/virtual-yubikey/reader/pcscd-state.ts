import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// pcscd's own wire protocol (winscard_msg.h, version 4:4), as its client library speaks it: it is the only way to know
// what tools can see at this moment. Newer daemons accept this version.
const COMMAND_VERSION = 0x11;
const COMMAND_GET_READERS_STATE = 0x12;
const READERS = 16;
const STATE = { bytes: 184, eventCounter: 128, readerState: 132 } as const;
const CARD_PRESENT = 0x0004;

/** What pcscd says of one reader slot. */
export interface SlotState {
  /** Counts insertions and removals pcscd has noticed; what clients do does not change it. */
  readonly events: number;
  readonly present: boolean;
}

/** Asks pcscd for the state of a slot (0 or 1 of vpcd's). */
export async function slotState(socketPath: string, slot: number): Promise<SlotState> {
  return withPcscd(socketPath, (ask) => askSlot(ask, slot));
}

/**
 * Resolves when pcscd has noticed a change since `events`, and a card is there (or not). pcscd looks every 0.4 s; a key
 * pulled and put in again between two looks would leave it confused for good, so both ways must be waited for.
 */
export async function untilSlotChanged(
  socketPath: string,
  slot: number,
  events: number,
  present: boolean,
): Promise<SlotState> {
  const deadline = Date.now() + 60_000;
  return withPcscd(socketPath, async (ask) => {
    for (;;) {
      const state = await askSlot(ask, slot);
      if (state.events !== events && state.present === present) return state;
      if (Date.now() > deadline) throw new Error(`pcscd did not notice the key ${present ? 'come' : 'go'}`);
      await sleep(10);
    }
  });
}

type Ask = (command: number, body: Buffer, answerLength: number) => Promise<Buffer>;

async function askSlot(ask: Ask, slot: number): Promise<SlotState> {
  const answer = await ask(COMMAND_GET_READERS_STATE, Buffer.alloc(0), READERS * STATE.bytes);
  for (let offset = 0; offset < answer.length; offset += STATE.bytes) {
    const nameEnd = answer.indexOf(0, offset);
    const name = answer.toString('latin1', offset, nameEnd);
    // pcscd numbers readers and slots at the end of the name: "… 00 01" is slot 1 of reader 0.
    if (!name.endsWith(` 00 0${slot}`)) continue;
    return {
      events: answer.readUInt32LE(offset + STATE.eventCounter),
      present: (answer.readUInt32LE(offset + STATE.readerState) & CARD_PRESENT) !== 0,
    };
  }
  throw new Error(`pcscd has no slot ${slot} of vpcd`);
}

async function withPcscd<Result>(socketPath: string, use: (ask: Ask) => Promise<Result>): Promise<Result> {
  const socket = await connectWhenThereIsRoom(socketPath);
  const ask: Ask = (command, body, answerLength) => exchange(socket, command, body, answerLength);
  try {
    const version = Buffer.alloc(12);
    version.writeInt32LE(4, 0);
    version.writeInt32LE(4, 4);
    const answer = await ask(COMMAND_VERSION, version, version.length);
    if (answer.readUInt32LE(8) !== 0) throw new Error('pcscd does not speak protocol 4:4');
    return await use(ask);
  } finally {
    socket.destroy();
  }
}

/** pcscd lets only a few connections wait; one more is refused with EAGAIN, where its own client library would block. */
async function connectWhenThereIsRoom(socketPath: string): Promise<Socket> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const socket = connect(socketPath);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'EAGAIN' || Date.now() > deadline) throw error;
      await sleep(10);
    }
  }
}

function exchange(socket: Socket, command: number, body: Buffer, answerLength: number): Promise<Buffer> {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(body.length, 0);
  header.writeUInt32LE(command, 4);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const finish = (error?: Error): void => {
      socket.off('data', onData).off('error', finish).off('close', onClose);
      if (error) reject(error);
      else resolve(received);
    };
    const onClose = (): void => finish(new Error('pcscd closed the connection'));
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= answerLength) finish();
    };
    socket.on('data', onData).on('error', finish).on('close', onClose);
    socket.write(Buffer.concat([header, body]));
  });
}
