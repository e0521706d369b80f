import { KiwiError } from '../../core/errors.ts';
import { uninstall } from '../../laptop/enrollment/uninstall.ts';
import { printJson } from '../../terminal/report.ts';
import { humanOutput, jsonOutput } from './enroll-output.ts';
import { laptopContext } from './laptop-context.ts';

const OUTCOME = {
  told: ' Nothing of the enrollment is left on it.',
  kept: `
The slice could not be reached, so the deregistration is pending. It is reported automatically as soon as the slice can
be reached; \`kiwistack-enroll check\` tries at once.`,
  untold: ` Nothing of the enrollment is left on it.
The deregistration could not be reported to the slice. Ask your operator to end the device there.`,
} as const;

/** `kiwistack-enroll uninstall` */
export async function uninstallCommand(flags: { readonly json?: boolean }, signal: AbortSignal): Promise<void> {
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const { record, farewell, leftBehind } = await uninstall(await laptopContext(signal), (event) => {
    output.event(event);
  });
  if (leftBehind.length > 0) {
    throw new KiwiError('program-failed', {
      detail: `could not be undone: ${leftBehind.join(', ')}`,
      hint: 'Run the command again.',
    });
  }
  const { customer } = record;
  if (flags.json === true) {
    printJson({ type: 'result', result: 'uninstalled', sliceTold: farewell === 'told', farewell, customer });
  } else process.stdout.write(`This laptop is no longer enrolled with ${customer}.${OUTCOME[farewell]}\n`);
}
