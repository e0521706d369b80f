import type { Socket } from 'node:net';

import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Request } from '../../local-api/messages.ts';
import type { Authority, Caller } from '../system/authority.ts';
import { supportBundle, type Parcel } from '../support/support-bundle.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { Conversation } from './conversation.ts';
import { enrollForCaller } from './enroll-for-caller.ts';
import { operate, type PlainRequest } from './operate.ts';
import { RULES } from './permissions.ts';

export interface ServiceOptions {
  readonly context: (signal: AbortSignal) => Promise<LaptopContext>;
  readonly authority: Authority;
  readonly log: Log;
  /** Nobody is connected and nothing is going on any more. */
  readonly onIdle: () => void;
}

/** So many connections at once, in all and of one user; root is never kept out by others. */
const MOST = 128;
const MOST_OF_ONE = 16;

/** Answers the connections that it is given. */
export class AgentService {
  readonly #options: ServiceOptions;
  readonly #busy = new Map<Promise<void>, number>();
  readonly #stopped = new AbortController();

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#busy.size === 0;
  }

  /** @param caller undefined when the system does not tell who it is, or it is not there any more */
  accept(socket: Socket, caller: Caller | undefined): void {
    const conversation = new Conversation(socket);
    if (caller === undefined) {
      conversation.refuse(new KiwiError('not-authorised', { detail: 'the system does not tell who is calling' }));
      return;
    }
    const ofOne = [...this.#busy.values()].filter((uid) => uid === caller.uid).length;
    if (caller.uid !== 0 && (this.#busy.size >= MOST || ofOne >= MOST_OF_ONE)) {
      conversation.refuse(new KiwiError('agent-busy'));
      return;
    }
    const served = this.#serve(conversation, caller).finally(() => {
      this.#busy.delete(served);
      if (this.isIdle) this.#options.onIdle();
    });
    this.#busy.set(served, caller.uid);
  }

  /** Cancels what can be cancelled, and waits until everything has ended. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.allSettled(this.#busy.keys());
  }

  async #serve(conversation: Conversation, caller: Caller): Promise<void> {
    const { log, authority } = this.#options;
    const { uid, pid } = caller;
    let verb: string | undefined;
    const began = performance.now();
    try {
      const request = await conversation.request();
      ({ verb } = request);
      const rule = RULES[request.verb];
      void conversation.listen();
      const left = conversation.left.signal;
      const stop = AbortSignal.any([conversation.cancelled.signal, this.#stopped.signal]);
      await authority.require(caller, rule.permission, AbortSignal.any([stop, left]));
      log.write('info', 'asked', { verb, uid, pid });
      const signal = rule.whenLeft === 'cancel' ? AbortSignal.any([stop, left]) : stop;
      signal.throwIfAborted();
      await this.#carryOut(conversation, request, signal);
      log.write('info', 'answered', { verb, uid, ms: Math.round(performance.now() - began) });
    } catch (thrown) {
      const error = toKiwiError(thrown);
      const { code, requestId, detail } = error;
      const why = code === 'internal' ? detail : undefined;
      log.write('warning', 'not-done', { verb, uid, pid, code, why, request: requestId });
      conversation.refuse(error);
    }
  }

  async #carryOut(conversation: Conversation, request: Request, signal: AbortSignal): Promise<void> {
    const context: LaptopContext = {
      ...(await this.#options.context(signal)),
      waiting: (what) => {
        conversation.event({ type: 'waiting', for: what });
      },
    };
    const report = conversation.event.bind(conversation);
    if (request.verb === 'support-bundle') {
      const agree = (parcel: Parcel): Promise<unknown> =>
        conversation.ask({ ask: 'agreement', ...parcel }, 'agreed', signal);
      const bundle = await supportBundle(context, request.send ? agree : undefined);
      conversation.reply(request.verb, { bundle });
      return;
    }
    if (request.verb !== 'enroll') {
      conversation.reply(request.verb, await operate(context, request as PlainRequest, report));
      return;
    }
    if (context.roots.length === 0) throw new KiwiError('pinned-roots-missing');
    const enrolled = await enrollForCaller(context, {
      report,
      ...(request.signIn === true ? { signIn: true } : {}),
      readKey: async () => (await conversation.ask({ ask: 'key' }, 'key', signal)).key,
      sign: async (data, { hello, challenge, expiresInMs }) => {
        const asked = {
          ...({ ask: 'signature', challenge, expiresInMs: Math.round(expiresInMs) } as const),
          data: Buffer.from(data).toString('base64'),
          hello: Buffer.from(hello).toString('base64'),
        };
        const { signature } = await conversation.ask(asked, 'signature', signal);
        return Buffer.from(signature, 'base64');
      },
    });
    conversation.reply('enroll', enrolled);
  }
}
