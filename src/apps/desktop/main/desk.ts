import { KiwiError, toKiwiError } from '../../../core/errors.ts';
import type { AgentClient } from '../../../local-api/agent-client.ts';
import type { View } from '../view/view.ts';
import { afterEvent, afterLender, BEGUN, remains, shownError, unasked, viewOf, type Flow } from './flow.ts';
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
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What goes on behind the window: at most one thing at a time. */
export class Desk {
  readonly #parts: DeskParts;
  #flow: Flow = BEGUN;
  #lender: Lender | undefined;
  #running: AbortController | undefined;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** Shows how this laptop stands. */
  async refresh(): Promise<void> {
    await this.#alone({ page: 'looking' }, async (agent, signal) => {
      await this.#showStatus(agent, signal);
    });
  }

  async enroll(): Promise<void> {
    this.#flow = BEGUN;
    await this.#alone(viewOf(BEGUN), async (agent, signal) => {
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
        this.#parts.show({ page: 'done', customer, hostName: device?.hostName ?? '' });
      } finally {
        this.#lender = undefined;
        lender.end();
      }
    });
  }

  async renew(): Promise<void> {
    await this.#alone({ page: 'looking' }, async (agent, signal) => {
      await agent.call<'renew'>({ verb: 'renew' }, { signal });
      await this.#showStatus(agent, signal);
    });
  }

  /** Takes this laptop out of the customer's hands. */
  async leave(): Promise<void> {
    this.#flow = { ...BEGUN, undoing: true };
    await this.#alone(viewOf(this.#flow), async (agent, signal) => {
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

  async #showStatus(agent: AgentClient, signal: AbortSignal): Promise<void> {
    this.#parts.show(statusView(await agent.call<'status'>({ verb: 'status' }, { signal })));
  }

  async #alone(meanwhile: View, use: (agent: AgentClient, signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#running !== undefined) return;
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
