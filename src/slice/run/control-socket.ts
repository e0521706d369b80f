import { chmod } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';

import { z } from 'zod';

import { isErrorCode } from '../../core/error-codes.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { parseStrictJson } from '../../core/strict-json.ts';

/** The state of each part of a running slice; each part is asked when the status is requested. */
export const partsStatus = z.strictObject({
  gateway: z.boolean(),
  stepCa: z.boolean(),
  endpoint: z.boolean(),
  /** False when records of the audit are not as they were. */
  auditWhole: z.boolean(),
  fleet: z.enum(['reachable', 'unreachable', 'not-configured']),
  devices: z.strictObject({ pending: z.int(), active: z.int() }),
  /** The web certificate in use, PEM, and why the one in the folder was not taken, if it was not. */
  web: z.strictObject({ certificate: z.string(), refused: z.string().optional() }),
});
export type PartsStatus = z.infer<typeof partsStatus>;

/** What a running slice does when it is asked; each takes no arguments. */
export interface ControlVerbs {
  status(): Promise<PartsStatus>;
  /** Takes a web certificate that was replaced. */
  reload(): Promise<Record<string, never>>;
}

/** An answer as it is sent: the verb's result, or its error. */
const answer = z.union([
  z.strictObject({ result: z.unknown() }),
  z.strictObject({ error: z.strictObject({ code: z.string(), detail: z.string().optional() }) }),
]);

const MAX_VERB = 64;
const MAX_ANSWER = 1 << 20;

/** A socket (0600, in a folder with 0700): a caller sends one verb in a line, and gets one answer. */
export async function serveControl(file: string, verbs: ControlVerbs): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let asked = '';
    socket.on('error', () => undefined);
    socket.setTimeout(60_000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      asked += chunk.toString('latin1');
      const end = asked.indexOf('\n');
      if (end === -1 && asked.length <= MAX_VERB) return;
      socket.removeAllListeners('data').resume();
      void answerTo(asked.slice(0, Math.max(0, end)), verbs).then((text) => socket.end(text));
    });
    socket.on('end', () => {
      if (asked === '') socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(file, resolve);
  });
  await chmod(file, 0o600);
  return server;
}

async function answerTo(verb: string, verbs: ControlVerbs): Promise<string> {
  try {
    if (verb !== 'status' && verb !== 'reload') throw new KiwiError('usage', { detail: 'there is no such verb' });
    return JSON.stringify({ result: await verbs[verb]() });
  } catch (error) {
    const { code, detail } = toKiwiError(error);
    return JSON.stringify({ error: { code, ...(detail === undefined ? {} : { detail }) } });
  }
}

/** @returns undefined when nobody answers in time */
export async function askStatus(file: string, timeoutMs = 8000): Promise<PartsStatus | undefined> {
  const parsed = partsStatus.safeParse(await ask(file, 'status', timeoutMs).catch(() => undefined));
  return parsed.success ? parsed.data : undefined;
}

/** Has a running slice take its web certificate again. @throws KiwiError the slice's; `slice-part-failed` when it does not answer */
export async function askReload(file: string, timeoutMs = 20_000): Promise<void> {
  await ask(file, 'reload', timeoutMs);
}

async function ask(file: string, verb: keyof ControlVerbs, timeoutMs: number): Promise<unknown> {
  const silent = (why: string): KiwiError =>
    new KiwiError('slice-part-failed', { detail: `its control socket ${why}` });
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const socket: Socket = connect(file);
    const received: Buffer[] = [];
    let size = 0;
    socket.setTimeout(timeoutMs, () => socket.destroy(silent('did not answer in time')));
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      if ((size += chunk.length) > MAX_ANSWER) socket.destroy(silent('answered too much'));
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(received)));
    socket.write(`${verb}\n`);
  });
  if (bytes.length === 0) throw silent('did not answer');
  const said = answer.parse(parseStrictJson(bytes, MAX_ANSWER));
  if (!('error' in said)) return said.result;
  const { code, detail } = said.error;
  throw new KiwiError(isErrorCode(code) ? code : 'internal', detail === undefined ? {} : { detail });
}
