import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { statusBytes, SW } from './status-word.ts';

const ATR = Buffer.from('3bfd1300008131fe158073c021c057597562694b657940', 'hex');
const POWER_OFF = 0;
const POWER_ON = 1;
const RESET = 2;
const ASK_ATR = 4;
/**
 * vpcd sends power messages and a client's APDU of one byte alike; only the APDU waits for an answer, and its driver says nothing
 * until it has one. After a power message it goes on at once, or at pcscd's next look (0.4 s): ten times half a second of silence is an
 * APDU. Ten times, because one long timer could end before what has arrived meanwhile is read, when this process got no time.
 */
const SILENCE = { times: 10, ms: 500 } as const;

/** What vpcd's messages ask of a card. */
export interface VpcdCard {
  powerCycle(): void;
  /** `undefined` pulls the card instead of answering. */
  transmit(apdu: Buffer): Promise<Buffer | undefined>;
  /** The driver closed the connection, or the card was pulled. */
  gone(): void;
}

/** Puts a card into vpcd's slot at this port, and returns how to pull it. */
export async function connectToVpcd(port: number, card: VpcdCard): Promise<() => void> {
  const socket = await connectWithRetries(port);
  socket.setNoDelay(true);
  // vpcd does not wait after power messages, so an APDU can arrive behind one: hence a queue.
  let work = Promise.resolve();
  let silence = new AbortController();
  onMessage(socket, (message) => {
    silence.abort();
    silence = new AbortController();
    if (message.length === 1 && message.readUInt8(0) <= RESET) void answerAfterSilence(socket, silence.signal);
    work = work
      .then(() => answerMessage(socket, card, message))
      .catch((error: unknown) => {
        process.stderr.write(
          `virtual-yubikey: ${error instanceof Error ? (error.stack ?? error.message) : 'failed'}\n`,
        );
        socket.destroy();
      });
  });
  socket.on('close', () => {
    silence.abort();
    card.gone();
  });
  return () => socket.destroy();
}

async function answerAfterSilence(socket: Socket, broken: AbortSignal): Promise<void> {
  for (let time = 0; time < SILENCE.times && !broken.aborted; time++) {
    await sleep(SILENCE.ms, undefined, { signal: broken }).catch(() => undefined);
  }
  if (!broken.aborted) send(socket, statusBytes(SW.wrongLength));
}

function onMessage(socket: Socket, take: (message: Buffer) => void): void {
  let buffered = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const end = 2 + buffered.readUInt16BE(0);
      take(buffered.subarray(2, end));
      buffered = buffered.subarray(end);
    }
  });
  socket.on('error', () => socket.destroy());
}

async function answerMessage(socket: Socket, card: VpcdCard, message: Buffer): Promise<void> {
  switch (message.length === 1 ? message[0] : undefined) {
    case POWER_OFF:
    case POWER_ON:
    case RESET:
      card.powerCycle();
      return;
    case ASK_ATR:
      send(socket, ATR);
      return;
    default: {
      const answer = await card.transmit(message);
      if (answer) send(socket, answer);
      else socket.destroy();
    }
  }
}

// Length and payload in one write: two would wait for each other's acknowledgement.
function send(socket: Socket, payload: Buffer): void {
  const frame = Buffer.alloc(2 + payload.length);
  frame.writeUInt16BE(payload.length);
  payload.copy(frame, 2);
  if (!socket.destroyed) socket.write(frame);
}

// pcscd loads the driver, which begins to listen, at about the time clients can connect to pcscd.
async function connectWithRetries(port: number): Promise<Socket> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    try {
      return await connectOnce(port);
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`vpcd does not listen on port ${port}`, { cause: error });
      await sleep(5);
    }
  }
}

function connectOnce(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
