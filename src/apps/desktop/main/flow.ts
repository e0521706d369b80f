import type { KiwiError } from '../../../core/errors.ts';
import type { FromLender } from '../../../local-api/lender-messages.ts';
import type { Event } from '../../../local-api/messages.ts';
import type { ShownError, ShownKey, ShownSlice, ShownStep, Tries, View } from '../view/view.ts';

/** How long a YubiKey waits for its touch. */
const TOUCH_MS = 15_000;

/** What an enrollment has come to. The page to show follows from it. */
export interface Flow {
  /** False while something else than an enrollment, or its end, goes on. */
  readonly enrolls: boolean;
  readonly steps: readonly ShownStep[];
  readonly slice?: ShownSlice;
  readonly waitsFor?: string;
  readonly undoing: boolean;
  /** What the person is asked for now. */
  readonly asks?:
    | { readonly for: 'key'; readonly why: ShownError }
    | { readonly for: 'choice'; readonly keys: readonly ShownKey[] }
    | { readonly for: 'pin'; readonly serial: number; readonly tries: Tries; readonly refused?: ShownError }
    | { readonly for: 'touch'; readonly endsAt: number };
}

export const BEGUN: Flow = { enrolls: true, steps: [], undoing: false };
/** Of something that is no enrollment, and nothing of it is ever undone. */
export const ASIDE: Flow = { ...BEGUN, enrolls: false };

export function shownError({ code, message, hint, detail, requestId }: KiwiError): ShownError {
  return {
    ...{ code, message, hint },
    ...(detail === undefined ? {} : { detail }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

/** After what the agent has said. */
export function afterEvent(flow: Flow, event: Event): Flow {
  const { waitsFor: _, ...rest } = flow;
  switch (event.type) {
    case 'step-started':
      return { ...rest, steps: withStep(flow.steps, event, 'running') };
    case 'step-done':
      return { ...rest, steps: withStep(flow.steps, event, 'done') };
    case 'step-failed':
      return { ...unasked(rest), steps: withStep(flow.steps, event, 'failed') };
    case 'undo-started':
      return { ...unasked(rest), undoing: true };
    case 'undo-resumed':
      return { ...rest, undoing: true };
    case 'step-undone':
      return { ...rest, steps: withStep(flow.steps, event, 'undone') };
    case 'undo-failed':
      return { ...rest, steps: withStep(flow.steps, event, 'stuck') };
    case 'step-retried':
      return { ...rest, waitsFor: event.error.code };
    case 'waiting':
    case 'step-waits':
      return { ...rest, waitsFor: event.for };
    case 'slice-proven':
      return { ...rest, slice: { customer: event.customer, code: event.code } };
    case 'resumed':
    case 'key-found':
    case 'farewell':
    case 'certificate-expired':
    case 'certificate-renewed':
    case 'examined':
    // Of a status that is watched, which the window does not ask for.
    case 'looked':
    // Of a change of what keeps the connection, which shows it itself.
    case 'tunnel-waits':
      return rest;
    case 'repair-started':
      return { ...rest, steps: withStep(flow.steps, { step: event.name, title: event.does }, 'running') };
    case 'repair-done':
    case 'repair-failed': {
      const title = flow.steps.find(({ step }) => step === event.name)?.title ?? event.name;
      const state = event.type === 'repair-done' ? 'done' : 'failed';
      return { ...rest, steps: withStep(flow.steps, { step: event.name, title }, state) };
    }
  }
}

/** After what the key lender has said. @param now milliseconds since 1970 */
export function afterLender(flow: Flow, said: Exclude<FromLender, { type: 'answer' }>, now: number): Flow {
  switch (said.type) {
    case 'waiting-for-key':
      return { ...flow, asks: { for: 'key', why: shownError(said.why) } };
    case 'choose-key':
      return { ...flow, asks: { for: 'choice', keys: said.keys } };
    case 'pin-expected': {
      const { serial, tries, refused } = said;
      const why = refused === undefined ? {} : { refused: shownError(refused) };
      return { ...flow, asks: { for: 'pin', serial, tries, ...why } };
    }
    case 'touch-expected':
      return { ...flow, asks: { for: 'touch', endsAt: now + TOUCH_MS } };
    case 'touched':
      return unasked(flow);
  }
}

/** The person has answered, or the question is settled otherwise. */
export function unasked(flow: Flow): Flow {
  const { asks: _, ...rest } = flow;
  return rest;
}

export function viewOf(flow: Flow): View {
  const { asks, steps, slice, undoing, waitsFor } = flow;
  if (undoing) return { page: 'undoing', steps };
  if (asks?.for === 'key') return { page: 'key', why: asks.why };
  if (asks?.for === 'choice') return { page: 'choose-key', keys: asks.keys };
  // The lender signs nothing for which no customer and no code are on the screen.
  if (asks?.for === 'pin' && slice !== undefined) {
    const { serial, tries, refused } = asks;
    return { page: 'pin', slice, serial, tries, ...(refused === undefined ? {} : { refused }) };
  }
  if (asks?.for === 'touch' && slice !== undefined) return { page: 'touch', slice, endsAt: asks.endsAt };
  return { page: 'progress', steps, ...(waitsFor === undefined ? {} : { waitsFor }) };
}

/** What an operation that failed leaves: the steps as they are now, and whether this laptop is as it was before. */
export function remains(
  { enrolls, undoing, steps }: Flow,
  { code }: KiwiError,
): Pick<Extract<View, { page: 'failed' }>, 'steps' | 'undone'> {
  const lost = code === 'agent-lost' || code === 'agent-answer-invalid';
  const stuck = steps.some(({ state }) => state === 'stuck');
  return {
    steps: steps.map((step) => (step.state === 'running' ? { ...step, state: 'failed' } : step)),
    // To leave was refused before anything was removed.
    undone: !enrolls || (undoing && steps.length === 0) ? 'nothing' : lost ? 'unknown' : stuck ? 'no' : 'yes',
  };
}

function withStep(
  steps: readonly ShownStep[],
  { step, title }: { readonly step: string; readonly title: string },
  state: ShownStep['state'],
): ShownStep[] {
  const next = { step, title, state };
  return steps.some((known) => known.step === step)
    ? steps.map((known) => (known.step === step ? next : known))
    : [...steps, next];
}
