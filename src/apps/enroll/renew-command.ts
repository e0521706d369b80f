import { localTime } from '../../terminal/local-time.ts';
import { printJson } from '../../terminal/report.ts';
import { askLaptop } from './ask-laptop.ts';

/** `kiwistack-enroll renew`. */
export async function renewCommand(flags: { readonly json?: boolean }, signal: AbortSignal): Promise<void> {
  const { record, renewed } = await askLaptop({ verb: 'renew' }, { signal });
  const { number } = renewed;
  const notAfter = renewed.notAfter.toISOString();
  if (flags.json === true) {
    printJson({ type: 'result', result: 'renewed', customer: record.customer, certificate: { number, notAfter } });
  } else {
    process.stdout.write(`The certificate was renewed: number ${number}, valid until ${localTime(notAfter)}.\n`);
  }
}
