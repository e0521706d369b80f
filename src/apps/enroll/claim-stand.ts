import type { KiwiError } from '../../core/errors.ts';
import type { ClaimEvent } from '../../laptop/claim/claim-at-first-start.ts';
import { fromStandError, standError, type ClaimStand } from '../../local-api/claim-stand.ts';

/** How a claim stands, and what ends that. */
export interface Standing {
  readonly stand: ClaimStand;
  /** The step that has to be done before something else is said; before it, attempts come and go. */
  readonly until?: string;
  /** The step that has failed in this attempt. */
  readonly failed?: string;
}

export const begun = (customer: string): Standing => ({ stand: { state: 'working', customer } });

/**
 * After what the claim has said. What is in the way, or waited for, stays until its step is done: of each further attempt a person would
 * see nothing but that the same words come again.
 *
 * @param now wall clock, milliseconds
 */
export function afterEvent(standing: Standing, event: ClaimEvent, now: number): Standing {
  const { stand, until, failed } = standing;
  const { customer = '' } = stand;
  switch (event.type) {
    case 'step-started': {
      if (stand.state !== 'working') return standing;
      return { stand: { state: 'working', customer, step: { name: event.step, title: event.title } } };
    }
    case 'step-done':
      if (until !== undefined && until !== event.step) return standing;
      return stand.state === 'working' ? standing : begun(customer);
    case 'step-waits': {
      const { step: name, title, code, until: again } = event;
      const said = {
        ...(code === undefined ? {} : { code }),
        ...(again === undefined ? {} : { again }),
      };
      return { stand: { state: 'waits', customer, step: { name, title }, for: event.for, ...said }, until: name };
    }
    case 'step-failed':
      return { ...standing, failed: event.step };
    case 'claim-retried': {
      const again = new Date(now + event.delayMs).toISOString();
      return {
        stand: { state: 'retries', customer, error: standError(event.error), again },
        ...(failed === undefined ? {} : { until: failed }),
      };
    }
    default:
      return standing;
  }
}

/** After the end of a claim that no waiting changes. */
export const refused = (customer: string | undefined, error: KiwiError): ClaimStand => ({
  ...{ state: 'refused', error: standError(error) },
  ...(customer === undefined ? {} : { customer }),
});

/** The same in a few lines, for a text console. */
export function promptLines(stand: ClaimStand): string[] {
  const { customer } = stand;
  const whose = customer === undefined ? '' : ` for ${customer}`;
  switch (stand.state) {
    case 'working':
      return [`KiwiStack sets this laptop up${whose}.`, ...(stand.step === undefined ? [] : [`${stand.step.title} …`])];
    case 'waits': {
      const { code } = stand;
      return code === undefined
        ? [`KiwiStack sets this laptop up${whose}.`, `It waits for ${stand.for}.`]
        : [
            `This laptop waits to be let in by ${customer ?? ''}.`,
            `Tell your operator these six digits: ${code.slice(0, 3)} ${code.slice(3)}`,
          ];
    }
    case 'retries': {
      const { message, hint } = fromStandError(stand.error);
      return [`KiwiStack sets this laptop up${whose}, but: ${message}`, hint, 'It is tried again by itself.'];
    }
    case 'refused': {
      const { message, hint, code } = fromStandError(stand.error);
      return [
        `KiwiStack could not set this laptop up${whose}: ${message} [${code}]`,
        hint,
        'The next start of the laptop tries it again.',
      ];
    }
    case 'claimed':
      return [];
  }
}
