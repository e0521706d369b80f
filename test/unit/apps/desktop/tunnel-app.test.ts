import { beforeEach, describe, expect, it } from 'vitest';

import { Desk } from '../../../../src/apps/desktop/main/desk.ts';
import type { View } from '../../../../src/apps/desktop/view/view.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { Asked, CallOptions } from '../../../../src/local-api/agent-client.ts';
import type { StatusReply, Verb } from '../../../../src/local-api/replies.ts';

/** An agent on a Mac: it remembers who keeps the tunnel, and what it was asked. */
class MacAgent {
  readonly asked: string[] = [];
  by: 'daemon' | 'app' = 'daemon';
  /** What the person does while the agent waits for them; rejects when they do not do it. */
  person: (say: (waits: 'app' | 'approval' | 'hand-over') => void, signal: AbortSignal) => Promise<void> = () =>
    Promise.resolve();

  async call(
    request: Asked<Verb>,
    { onEvent, signal = new AbortController().signal }: CallOptions = {},
  ): Promise<never> {
    const asked = request as Asked<'status'> | Asked<'tunnel'>;
    this.asked.push(asked.verb === 'tunnel' ? `${asked.verb} ${asked.by}` : asked.verb);
    if (asked.verb === 'status') return statusOf(this.by) as never;
    if (asked.by === 'app') await this.person((waits) => onEvent?.({ type: 'tunnel-waits', for: waits }), signal);
    this.by = asked.by;
    return { by: asked.by } as never;
  }
}

function statusOf(by: 'daemon' | 'app'): StatusReply {
  return {
    enrollment: {
      record: { state: 'active', customer: 'Acme', device: { hostName: 'ada' } },
      certificate: {},
      ...{ tunnel: { up: true, alive: true, keeper: { by, waits: false } }, slice: { error: 'no-network' } },
      ...{ links: [], checks: [], healthy: true },
    },
    farewells: [],
    found: [],
  } as unknown as StatusReply;
}

const cancelled = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new KiwiError('cancelled'));
    });
  });

let agent: MacAgent;
let views: View[];
let desk: Desk;
beforeEach(() => {
  agent = new MacAgent();
  views = [];
  desk = new Desk({
    findAgent: () => Promise.resolve(agent),
    startLender: () => Promise.reject(new TypeError('no key is needed')),
    show: (view) => views.push(view),
    saveFile: () => Promise.resolve(undefined),
    openPage: () => undefined,
    now: () => 0,
  });
});
const waits = (): unknown[] =>
  views.map((view) => (view.page === 'tunnel-app' ? (view.waitsFor ?? 'begun') : view.page));

describe('the WireGuard app in the window', () => {
  it('is waited for, step by step, as the agent notices what the person has done', async () => {
    agent.person = (say) => {
      for (const what of ['app', 'approval', 'hand-over'] as const) say(what);
      return Promise.resolve();
    };
    await desk.tunnelByApp();
    expect(waits()).toEqual(['begun', 'app', 'approval', 'hand-over', 'status']);
    expect(views.at(-1)).toMatchObject({
      status: { keeper: 'app', tunnel: 'up' },
      notice: { what: 'kept', by: 'app' },
    });
    expect(agent.asked).toEqual(['tunnel app', 'status']);
  });

  it('is given up again', async () => {
    agent.by = 'app';
    await desk.tunnelByDaemon();
    expect(waits()).toEqual(['looking', 'status']);
    expect(views.at(-1)).toMatchObject({ status: { keeper: 'daemon' }, notice: { what: 'kept', by: 'daemon' } });
  });

  it('is cancelled at any time: the agent takes it back, and the status follows without a word of it', async () => {
    agent.person = (say, signal) => {
      say('approval');
      return cancelled(signal).finally(() => {
        // What crosses with it is not shown any more.
        say('hand-over');
      });
    };
    const running = desk.tunnelByApp();
    await expect.poll(waits).toContain('approval');
    desk.cancel();
    await running;
    expect(waits()).toEqual(['begun', 'approval', 'looking', 'status']);
    expect(views.at(-1)).not.toHaveProperty('notice');
    expect(agent.by).toBe('daemon');
  });

  it('that fails says why, and that nothing was undone because nothing had been changed', async () => {
    agent.person = () => Promise.reject(new KiwiError('tunnel-app-silent'));
    await desk.tunnelByApp();
    expect(views.at(-1)).toMatchObject({ page: 'failed', error: { code: 'tunnel-app-silent' }, undone: 'nothing' });
  });
});
