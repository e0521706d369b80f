import { KiwiError, toKiwiError } from '../../../core/errors.ts';
import type { AgentClient } from '../../../local-api/agent-client.ts';
import type { Notice, ShownLink, View } from '../view/view.ts';
import { afterEvent, afterLender, ASIDE, BEGUN, remains, shownError, unasked, viewOf, type Flow } from './flow.ts';
import { Report } from './report.ts';
import type { Lender, startLender } from './start-lender.ts';
import { statusView } from './status-view.ts';

export interface DeskParts {
  /** @returns undefined where no agent is installed. @throws KiwiError `agent-untrusted` */
  readonly findAgent: () => Promise<AgentClient | undefined>;
  readonly startLender: (
    shown: Parameters<typeof startLender>[1],
    onSaid: Parameters<typeof startLender>[2],
  ) => Promise<Lender>;
  readonly show: (view: View) => void;
  /** Asks the person where, and writes it there with their rights alone. @returns undefined when they did not want it after all */
  readonly saveFile: (name: string, text: string) => Promise<string | undefined>;
  /** In the person's browser. */
  readonly openPage: (url: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What goes on behind the window: at most one thing at a time. */
export class Desk {
  readonly #parts: DeskParts;
  #flow: Flow = BEGUN;
  #lender: Lender | undefined;
  #running: AbortController | undefined;
  /** What is shown and waits for a decision. */
  #report: Report | undefined;
  #shown: View | undefined;
  /** Those on the page. */
  #links: readonly ShownLink[] = [];

  constructor(parts: DeskParts) {
    this.#parts = {
      ...parts,
      show: (view) => {
        this.#shown = view;
        parts.show(view);
      },
    };
  }

  /** Shows how this laptop stands. */
  async refresh(): Promise<void> {
    await this.#alone(ASIDE, { page: 'looking' }, async (agent, signal) => {
      await this.#showStatus(agent, signal);
    });
  }

  async enroll(): Promise<void> {
    await this.#alone(BEGUN, viewOf(BEGUN), async (agent, signal) => {
      const move = (flow: Flow): void => {
        this.#flow = flow;
        this.#parts.show(viewOf(flow));
      };
      const lender = await this.#parts.startLender(
        () => this.#flow.slice,
        (said) => {
          move(afterLender(this.#flow, said, this.#parts.now()));
        },
      );
      this.#lender = lender;
      try {
        const { record } = await agent.call<'enroll'>(
          { verb: 'enroll' },
          {
            signal,
            answer: async (question) => {
              const answer = await lender.answer(question);
              move(unasked(this.#flow));
              return answer;
            },
            onEvent: (event) => {
              move(afterEvent(this.#flow, event));
            },
          },
        );
        const { customer, device } = record;
        const done = { page: 'done', customer, hostName: device?.hostName ?? '', links: [] } as const;
        this.#parts.show(done);
        void this.#addLinks(agent, done);
      } finally {
        this.#lender = undefined;
        lender.end();
      }
    });
  }

  async renew(): Promise<void> {
    await this.#alone(ASIDE, { page: 'looking' }, async (agent, signal) => {
      await agent.call<'renew'>({ verb: 'renew' }, { signal });
      await this.#showStatus(agent, signal);
    });
  }

  /** Repairs what needs no decision, and shows the status after it. */
  async repair(): Promise<void> {
    await this.#alone(ASIDE, { page: 'repairing', steps: [] }, async (agent, signal) => {
      const { repairs } = await agent.call<'repair'>(
        { verb: 'repair' },
        {
          signal,
          onEvent: (event) => {
            this.#flow = afterEvent(this.#flow, event);
            this.#parts.show({ page: 'repairing', steps: this.#flow.steps });
          },
        },
      );
      const count = repairs.filter(({ error }) => error === undefined).length;
      await this.#showStatus(agent, signal, { what: 'repaired', count });
    });
  }

  /** Makes a report and shows all of it; it leaves this laptop when the person says so, and only then. */
  async report(): Promise<void> {
    await this.#alone(ASIDE, { page: 'report', customer: '' }, async (agent, signal) => {
      const report = new Report(this.#parts.show);
      this.#report = report;
      const notice = await report.make(agent, signal).finally(() => {
        this.#report = undefined;
      });
      // To cancel it ended the report only.
      await this.#showStatus(agent, new AbortController().signal, notice);
    });
  }

  /** The report that is shown may leave. */
  sendReport(): void {
    this.#report?.decide({ what: 'sent' });
  }

  /** Writes the report that is shown where the person says. */
  async saveReport(): Promise<void> {
    const report = this.#report;
    if (report?.text === undefined) return;
    const file = await this.#parts.saveFile('kiwistack-report.json', report.text);
    if (file !== undefined) report.decide({ what: 'saved', file });
  }

  /** Has the WireGuard app keep the connection. What the person does for it is noticed by the agent; to cancel takes all of it back. */
  async tunnelByApp(): Promise<void> {
    await this.#alone(ASIDE, { page: 'tunnel-app' }, async (agent, signal) => {
      // It takes the agent a moment to take it back.
      signal.addEventListener('abort', () => {
        this.#parts.show({ page: 'looking' });
      });
      const kept = agent.call<'tunnel'>(
        { verb: 'tunnel', by: 'app' },
        {
          signal,
          onEvent: (event) => {
            const waits = event.type === 'tunnel-waits' && !signal.aborted;
            if (waits) this.#parts.show({ page: 'tunnel-app', waitsFor: event.for });
          },
        },
      );
      const notice = await kept.then(
        ({ by }): Notice => ({ what: 'kept', by }),
        (error: unknown) => {
          if (toKiwiError(error).code === 'cancelled') return undefined;
          throw error;
        },
      );
      // To cancel it ended the change only.
      await this.#showStatus(agent, new AbortController().signal, notice);
    });
  }

  /** Has this laptop's own program keep the connection again. */
  async tunnelByDaemon(): Promise<void> {
    await this.#alone(ASIDE, { page: 'looking' }, async (agent, signal) => {
      const { by } = await agent.call<'tunnel'>({ verb: 'tunnel', by: 'daemon' }, { signal });
      await this.#showStatus(agent, signal, { what: 'kept', by });
    });
  }

  /** Takes this laptop out of the customer's hands. */
  async leave(): Promise<void> {
    const leaving: Flow = { ...BEGUN, undoing: true };
    await this.#alone(leaving, viewOf(leaving), async (agent, signal) => {
      const { customer, farewell } = await agent.call<'uninstall'>(
        { verb: 'uninstall' },
        {
          signal,
          onEvent: (event) => {
            this.#flow = afterEvent(this.#flow, event);
            this.#parts.show(viewOf(this.#flow));
          },
        },
      );
      this.#parts.show({
        page: 'left',
        told: farewell === 'told',
        ...(customer === undefined ? {} : { customer }),
      });
    });
  }

  /** Nothing is typed without having been asked for. */
  enterPin(pin: string): void {
    if (this.#flow.asks?.for !== 'pin') return;
    this.#flow = unasked(this.#flow);
    this.#lender?.enterPin(pin);
  }

  chooseKey(serial: number): void {
    const { asks } = this.#flow;
    if (asks?.for === 'choice' && asks.keys.some((key) => key.serial === serial)) this.#lender?.chooseKey(serial);
  }

  /** Ends what goes on. An enrollment is undone by the agent, which is waited for. */
  cancel(): void {
    this.#running?.abort();
  }

  /** The enrollment is complete without them, so the person may go on meanwhile. */
  async #addLinks(agent: AgentClient, done: Extract<View, { page: 'done' }>): Promise<void> {
    const { signal } = new AbortController();
    const reply = await agent.call<'status'>({ verb: 'status' }, { signal }).catch(() => undefined);
    const links = reply?.enrollment?.links ?? [];
    if (links.length === 0 || this.#shown !== done) return;
    this.#links = links;
    this.#parts.show({ ...done, links });
  }

  /** Opens what the slice has named, and nothing else. */
  openLink(place: number): void {
    const link = this.#links[place];
    if (link !== undefined) this.#parts.openPage(link.url);
  }

  async #showStatus(agent: AgentClient, signal: AbortSignal, notice?: Notice): Promise<void> {
    const reply = await agent.call<'status'>({ verb: 'status' }, { signal });
    this.#links = reply.enrollment?.links ?? [];
    this.#parts.show(statusView(reply, notice));
  }

  /** Does nothing while something else goes on: what that has come to stays. */
  async #alone(
    begins: Flow,
    meanwhile: View,
    use: (agent: AgentClient, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (this.#running !== undefined) return;
    this.#flow = begins;
    const running = new AbortController();
    this.#running = running;
    this.#parts.show(meanwhile);
    try {
      const agent = await this.#parts.findAgent();
      if (agent === undefined) throw new KiwiError('agent-unavailable', { detail: 'it is not installed' });
      await use(agent, running.signal);
    } catch (thrown) {
      this.#parts.show(this.#failure(toKiwiError(thrown)));
    } finally {
      this.#running = undefined;
    }
  }

  #failure(error: KiwiError): View {
    if (error.code === 'agent-unavailable' || error.code === 'agent-untrusted') {
      return { page: 'unavailable', error: shownError(error) };
    }
    return { page: 'failed', error: shownError(error), ...remains(this.#flow, error) };
  }
}
