import { describe, expect, it } from 'vitest';

import {
  afterEvent,
  afterLender,
  ASIDE,
  BEGUN,
  remains,
  unasked,
  viewOf,
  type Flow,
} from '../../../../src/apps/desktop/main/flow.ts';
import { KiwiError } from '../../../../src/core/errors.ts';
import type { Event } from '../../../../src/local-api/messages.ts';

const step = { step: 'tunnel', title: 'Bring up the tunnel' };
const proven: Event = { type: 'slice-proven', customer: 'Acme', gatewayUrl: 'https://x', code: '428913', skewMs: 0 };
const after = (...events: Event[]): Flow => events.reduce(afterEvent, BEGUN);
const pin = { type: 'pin-expected', serial: 1, tries: 'ok' } as const;

describe('what the window shows of an enrollment', () => {
  it('is its steps, each once', () => {
    const flow = after(
      { type: 'step-started', ...step },
      { type: 'step-retried', ...step, error: new KiwiError('no-network'), delayMs: 1 },
    );
    expect(viewOf(flow)).toEqual({
      page: 'progress',
      steps: [{ ...step, state: 'running' }],
      waitsFor: 'no-network',
    });
    expect(viewOf(afterEvent(flow, { type: 'step-done', ...step, ms: 1, kept: false }))).toEqual({
      page: 'progress',
      steps: [{ ...step, state: 'done' }],
    });
  });

  it('is no question for a PIN before it is known for whom', () => {
    expect(viewOf(afterLender(BEGUN, pin, 0)).page).toBe('progress');
    expect(viewOf(afterLender(BEGUN, { type: 'touch-expected' }, 0)).page).toBe('progress');
    expect(viewOf(afterLender(after(proven), pin, 0))).toEqual({
      page: 'pin',
      slice: { customer: 'Acme', code: '428913' },
      serial: 1,
      tries: 'ok',
    });
  });

  it('is the touch until it has come', () => {
    const touching = afterLender(afterLender(after(proven), pin, 0), { type: 'touch-expected' }, 1000);
    expect(viewOf(touching)).toMatchObject({ page: 'touch', endsAt: 16_000 });
    expect(viewOf(afterLender(touching, { type: 'touched' }, 2000)).page).toBe('progress');
  });

  it('is the reason why a key is waited for, then the choice', () => {
    const why = new KiwiError('key-absent');
    const waiting = afterLender(BEGUN, { type: 'waiting-for-key', why }, 0);
    expect(viewOf(waiting)).toMatchObject({ page: 'key', why: { code: 'key-absent' } });
    expect(viewOf(unasked(waiting)).page).toBe('progress');
    expect(viewOf(afterLender(waiting, { type: 'choose-key', keys: [{ serial: 1 }] }, 0)).page).toBe('choose-key');
  });

  it('is the undoing from its beginning, whatever was asked before', () => {
    const asked = afterLender(after(proven), pin, 0);
    expect(viewOf(afterEvent(asked, { type: 'undo-started' })).page).toBe('undoing');
  });

  it('at the end says what became of the changes, and never that all was undone when that is not known', () => {
    const running = after({ type: 'step-started', ...step });
    expect(remains(running, new KiwiError('cancelled'))).toEqual({
      steps: [{ ...step, state: 'failed' }],
      undone: 'yes',
    });
    const error = new KiwiError('internal');
    expect(remains(afterEvent(running, { type: 'undo-failed', ...step, error }), error).undone).toBe('no');
    expect(remains(running, new KiwiError('agent-lost')).undone).toBe('unknown');
    // A renewal that failed has undone nothing.
    expect(remains(ASIDE, new KiwiError('no-network'))).toEqual({ steps: [], undone: 'nothing' });
    expect(remains({ ...BEGUN, undoing: true }, new KiwiError('not-authorised')).undone).toBe('nothing');
  });
});
