import { z } from 'zod';

import { KiwiError, toKiwiError } from '../../../core/errors.ts';
import type { AgentClient } from '../../../local-api/agent-client.ts';
import type { Notice, ShownFile, View } from '../view/view.ts';

type Decision = { readonly what: 'sent' } | { readonly what: 'saved'; readonly file: string };

/** A report for the operator, from its making to what the person decides about it. */
export class Report {
  readonly #show: (view: View) => void;
  #text: string | undefined;
  #settle: ((decision: Decision | undefined) => void) | undefined;

  constructor(show: (view: View) => void) {
    this.#show = show;
  }

  /** What is shown, once it is. */
  get text(): string | undefined {
    return this.#text;
  }

  decide(decision: Decision): void {
    this.#settle?.(decision);
  }

  /** @returns what was done with it; undefined when nothing was */
  async make(agent: AgentClient, signal: AbortSignal): Promise<Notice | undefined> {
    let notice: Notice | undefined;
    try {
      await agent.call<'support-bundle'>(
        { verb: 'support-bundle', send: true },
        {
          signal,
          answer: async (question) => {
            if (question.ask !== 'agreement') throw new KiwiError('agent-answer-invalid', { detail: question.ask });
            const { bundle, customer } = question;
            this.#text = bundle;
            const decided = this.#decision(signal);
            this.#show({ page: 'report', customer, files: filesOf(bundle) });
            const decision = await decided;
            if (decision?.what === 'sent') {
              notice = { what: 'sent', customer };
              this.#show({ page: 'report', customer });
              return { type: 'agreed' };
            }
            notice = decision;
            throw new KiwiError('cancelled');
          },
        },
      );
    } catch (error) {
      if (toKiwiError(error).code !== 'cancelled') throw error;
    }
    return notice;
  }

  #decision(signal: AbortSignal): Promise<Decision | undefined> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      signal.addEventListener('abort', () => {
        resolve(undefined);
      });
    });
  }
}

/** What of a support bundle is shown; `src/protocol/support-bundle.ts` has all of it. */
const bundleForm = z.object({ manifest: z.string(), files: z.record(z.string().max(40), z.string()) });
const manifestForm = z.object({
  files: z.array(z.object({ name: z.string().max(40), why: z.string().max(200) })).max(32),
});

/** @throws KiwiError `agent-answer-invalid` */
function filesOf(text: string): ShownFile[] {
  try {
    const { files, manifest } = bundleForm.parse(JSON.parse(text));
    const reasons = new Map(manifestForm.parse(JSON.parse(manifest)).files.map(({ name, why }) => [name, why]));
    return Object.entries(files).map(([name, content]) => ({ name, why: reasons.get(name) ?? '', text: content }));
  } catch (cause) {
    throw new KiwiError('agent-answer-invalid', { detail: 'the support bundle', cause });
  }
}
