import { KiwiError } from '../../core/errors.ts';
import { uninstall } from '../../laptop/enrollment/uninstall.ts';
import { printJson } from '../../terminal/report.ts';
import { humanOutput, jsonOutput } from './enroll-output.ts';
import { laptopContext } from './laptop-context.ts';

const SAID = {
  told: '; nothing of it is left here.',
  kept: `; of it, only the farewell is left here.
The slice could not be told now: it is, by itself, as soon as it can be reached, or by \`kiwistack-enroll check\`.`,
  untold: `; nothing of it is left here.
The slice could not be told: ask your operator to end the device there.`,
} as const;

/** `kiwistack-enroll uninstall` */
export async function uninstallCommand(flags: { readonly json?: boolean }, signal: AbortSignal): Promise<void> {
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const { record, farewell, leftBehind } = await uninstall(await laptopContext(signal), (event) => {
    output.event(event);
  });
  if (leftBehind.length > 0) {
    throw new KiwiError('program-failed', { detail: `still there: ${leftBehind.join(', ')}`, hint: 'Run it again.' });
  }
  const { customer } = record;
  if (flags.json === true) {
    printJson({ type: 'result', result: 'uninstalled', sliceTold: farewell === 'told', farewell, customer });
  } else process.stdout.write(`This laptop is no longer enrolled with ${customer}${SAID[farewell]}\n`);
}
