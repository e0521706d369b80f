import { KiwiError } from '../../core/errors.ts';
import { listed } from '../../laptop/enrollment/find-traces.ts';
import type { Event } from '../../local-api/messages.ts';
import { printJson } from '../../terminal/report.ts';
import { humanOutput, jsonOutput } from './enroll-output.ts';
import { askLaptop } from './ask-laptop.ts';

const FAREWELL = {
  told: '',
  kept: `
The slice could not be reached, so the deregistration is pending. It is reported automatically as soon as the slice can
be reached; \`kiwistack-enroll check\` tries at once.`,
  untold: `
The deregistration could not be reported to the slice. Ask your operator to end the device there.`,
} as const;

/** `kiwistack-enroll uninstall`. There being nothing to uninstall is no failure. */
export async function uninstallCommand(flags: { readonly json?: boolean }, signal: AbortSignal): Promise<void> {
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const reasons: string[] = [];
  const onEvent = (event: Event): void => {
    if (event.type === 'undo-failed') reasons.push(event.error.detail ?? event.error.message);
  };
  const result = await askLaptop({ verb: 'uninstall' }, { signal, output, onEvent }).catch((error: unknown) => {
    if (error instanceof KiwiError && error.code === 'not-enrolled') return undefined;
    throw error;
  });
  if (result === undefined) {
    if (flags.json === true) printJson({ type: 'result', result: 'not-enrolled' });
    else process.stdout.write('This laptop is not enrolled; nothing to do.\n');
    return;
  }
  const { customer, farewell, leftBehind, unsure } = result;
  if (leftBehind.length > 0) {
    throw new KiwiError('enrollment-incomplete', {
      detail: `could not be removed: ${listed(leftBehind)}${reasons.length === 0 ? '' : `; ${listed(reasons)}`}`,
      hint: 'Put right what the details name, and run the command again: it removes the rest.',
    });
  }
  if (flags.json === true) {
    printJson({
      ...{ type: 'result', result: 'uninstalled', sliceTold: farewell === 'told', farewell, customer },
      ...(unsure.length === 0 ? {} : { unsure }),
    });
    return;
  }
  const what =
    customer === undefined
      ? 'What was left of an enrollment was removed from this laptop.'
      : `This laptop is no longer enrolled with ${customer}.`;
  const left =
    unsure.length > 0
      ? `\nThis may be of another program, so it was left as it is: ${listed(unsure)}.`
      : farewell === 'kept'
        ? ''
        : ' Nothing of the enrollment is left on it.';
  process.stdout.write(`${what}${left}${FAREWELL[farewell]}\n`);
}
