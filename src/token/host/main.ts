/**
 * The token host: the one process that loads libykcs11. It serves one request after the other from descriptor 3 and ends when
 * that is closed. Everything is synchronous on purpose: the module is too, and a parent that does not want to wait kills us.
 */
import { readSync, writeSync } from 'node:fs';
import path from 'node:path';

import graphene from 'graphene-pk11';

import { confineLibraries, loadLockedMemory } from '../../../native/locked-memory/index.ts';
import { systemErrorCode } from '../../core/system-error-code.ts';
import { bodyLength, frameHead, openBody } from '../wire/frame.ts';
import { hostRequest, type HostAnswer, type HostReply, type HostRequest } from '../wire/messages.ts';
import { HostError, describe } from './pkcs11-error.ts';
import { openOnce } from './open-once.ts';
import { signOnce } from './sign-once.ts';
import { whyNotLoaded } from './why-not-loaded.ts';
import { readPresence, readYubikeys, withModule } from './yubikeys.ts';

const CHANNEL = 3;
const memory = loadLockedMemory();

function main(modulePath: string): void {
  // Early, before the first request; if it fails, the first request tries again and reports the failure.
  let module = attemptLoad(modulePath);
  for (let body = readBody(); body !== undefined; body = readBody()) {
    try {
      const { message, raw } = openBody(body);
      const request = hostRequest.parse(message);
      try {
        module ??= loadModule(modulePath);
        say({ ok: true, answer: serve(module, request, raw) });
      } catch (error) {
        say(refusal(error));
      }
    } finally {
      memory.wipe(body);
    }
  }
}

function serve(module: graphene.Module, request: HostRequest, raw: Buffer): HostAnswer<HostRequest['op']> {
  switch (request.op) {
    case 'presence':
      return withModule(module, () => readPresence(module));
    case 'read':
      return withModule(module, () => readYubikeys(module, request.serial));
    case 'sign':
      return signOnce(module, request, raw, () => say({ event: 'signing' }));
    case 'open':
      return openOnce(module, request, raw, () => say({ event: 'signing' }));
  }
}

function loadModule(file: string): graphene.Module {
  if (!confined) throw new HostError('key-fault', 'the places that libraries come from cannot be confined');
  try {
    return graphene.Module.load(file);
  } catch (error) {
    throw new HostError('key-module-missing', `${file} cannot be loaded${whyNotLoaded(error)}`, undefined, error);
  }
}

function attemptLoad(file: string): graphene.Module | undefined {
  try {
    return loadModule(file);
  } catch {
    return undefined;
  }
}

function refusal(error: unknown): HostReply {
  if (error instanceof HostError) {
    return {
      ok: false,
      code: error.code,
      detail: error.message,
      ...(error.pin === undefined ? {} : { pin: error.pin }),
    };
  }
  return { ok: false, code: 'key-fault', detail: describe(error, 'the token host') };
}

function say(reply: HostReply): void {
  const bytes = frameHead(reply, 0);
  for (let at = 0; at < bytes.length;) at += writeSync(CHANNEL, bytes, at);
}

/** One frame's body, which may hold a PIN, in locked memory; undefined at the end of the channel. */
function readBody(): Buffer | undefined {
  const head = readExactly(4);
  return head === undefined ? undefined : readExactly(bodyLength(head));
}

function readExactly(length: number): Buffer | undefined {
  // Not from Node's shared pool (Buffer.alloc never is), where a secret would have neighbours.
  const buffer = Buffer.alloc(length);
  memory.lock(buffer);
  for (let at = 0; at < length;) {
    const got = readSome(buffer, at);
    if (got === 0) return undefined;
    at += got;
  }
  return buffer;
}

/** @returns 0 at the end of the channel, which is an error on Windows */
function readSome(buffer: Buffer, at: number): number {
  try {
    return readSync(CHANNEL, buffer, at, buffer.length - at, null);
  } catch (error) {
    if (systemErrorCode(error) === 'EOF') return 0;
    throw error;
  }
}

const [modulePath] = process.argv.slice(2);
if (modulePath === undefined) throw new TypeError('the path of the PKCS#11 module is missing');
memory.disableDumps();
// After our own addons were loaded, which are beside us, and before the module.
const confined = confineLibraries(path.dirname(modulePath));
main(modulePath);
