import path from 'node:path';

import { systemClock } from '../../core/clock.ts';
import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { printable } from '../../core/log.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import { supportBundle, type Parcel } from '../../laptop/support/support-bundle.ts';
import type { Question } from '../../local-api/messages.ts';
import { openBundle, type OpenedBundle } from '../../protocol/support-bundle.ts';
import { askYes } from '../../terminal/ask-yes.ts';
import { printJson } from '../../terminal/report.ts';
import { agentForUs } from './ask-laptop.ts';
import { laptopContext } from './laptop-context.ts';

export interface BundleFlags {
  readonly output?: string;
  readonly show?: boolean;
  readonly send?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `kiwistack-enroll support-bundle`: writes the bundle to a file or sends it to the slice, and says what is in it. */
export async function supportBundleCommand(flags: BundleFlags, signal: AbortSignal): Promise<void> {
  // Whoever asks for the password of an administrator chooses the arguments: no file in a place of their choice.
  if (process.env['PKEXEC_UID'] !== undefined) {
    throw new KiwiError('usage', {
      detail: 'support-bundle is not run under pkexec',
      hint: 'Run the command with sudo.',
    });
  }
  if (flags.send === true) return send(flags, signal);
  const text = await make(signal);
  const file = await write(text, flags);
  const bundle = openBundle(Buffer.from(text));
  if (flags.json === true) printJson({ type: 'result', result: 'written', file, ...fieldsOf(bundle) });
  else say([`Written to ${file}; nothing was sent. It contains:`, ...linesOf(bundle, flags)]);
}

/** The file is written if it is wanted, and if sending fails: what is wrong now may look different later. */
async function send(flags: BundleFlags, signal: AbortSignal): Promise<void> {
  const json = flags.json === true;
  if (flags.yes !== true && (json || !process.stdin.isTTY)) {
    throw new KiwiError('usage', { detail: 'there is no terminal to ask whether it may be sent: use --yes' });
  }
  let file: string | undefined;
  let agreed: Parcel | undefined;
  const agree = async (parcel: Parcel): Promise<void> => {
    if (flags.output !== undefined) file = await write(parcel.bundle, flags);
    if (!json) say(['The bundle contains:', ...linesOf(openBundle(Buffer.from(parcel.bundle)), flags)]);
    const question = printable(`Send it to ${parcel.customer} (${parcel.gatewayUrl})? [y/N] `);
    if (flags.yes !== true && !(await askYes(question, signal))) {
      throw new KiwiError('cancelled', { hint: 'Nothing was sent.' });
    }
    agreed = parcel;
  };
  try {
    await make(signal, agree);
  } catch (thrown) {
    const error = toKiwiError(thrown);
    if (agreed === undefined) throw error;
    file ??= await write(agreed.bundle, flags);
    throw error.with({
      hint: `The bundle is kept in ${file}: give it to your operator, or send a new one later. ${error.hint}`,
    });
  }
  if (agreed === undefined) throw new TypeError('sent without being shown');
  const { bundle, customer, gatewayUrl } = agreed;
  const opened = openBundle(Buffer.from(bundle));
  const kept = file === undefined ? {} : { file };
  if (json) printJson({ type: 'result', result: 'sent', customer, gatewayUrl, ...kept, ...fieldsOf(opened) });
  else {
    const where = file === undefined ? '' : ` The same is in ${file}.`;
    say([`Sent to ${customer}; your operator finds it with \`kiwistack-operator bundle list\`.${where}`]);
  }
}

/** By the agent for who is not root: it reads, and hands over the bytes. */
async function make(signal: AbortSignal, agree?: (parcel: Parcel) => Promise<void>): Promise<string> {
  const agent = await agentForUs();
  if (agent === undefined) return supportBundle(await laptopContext(signal), agree);
  const answer = async (question: Question): Promise<{ type: 'agreed' }> => {
    if (question.ask !== 'agreement' || agree === undefined) throw new KiwiError('agent-answer-invalid');
    const { bundle, customer, gatewayUrl } = question;
    await agree({ bundle, customer, gatewayUrl });
    return { type: 'agreed' };
  };
  const asked = { verb: 'support-bundle', send: agree !== undefined } as const;
  return (await agent.call<'support-bundle'>(asked, { signal, answer })).bundle;
}

async function write(text: string, { output }: BundleFlags): Promise<string> {
  const file = path.resolve(output ?? nameOf(systemClock.now()));
  await writeNewFile(file, text);
  return file;
}

const nameOf = (now: number): string =>
  `kiwistack-support-${new Date(now).toISOString().replace(/[:.]/g, '').slice(0, 15)}Z.json`;

const say = (lines: readonly string[]): void => void process.stdout.write(`${lines.map(printable).join('\n')}\n`);

function fieldsOf({ manifest, signature }: OpenedBundle): object {
  return { signed: signature !== null, manifest };
}

function linesOf({ manifest, signature, files }: OpenedBundle, { show }: BundleFlags): string[] {
  const width = Math.max(...manifest.files.map(({ name }) => name.length));
  return [
    ...manifest.files.map(
      ({ name, size, why }) => `  ${name.padEnd(width)}  ${String(size).padStart(6)} bytes  ${why}`,
    ),
    `Left out because nothing says that it may leave: ${manifest.leftOut} fields and lines.`,
    signature === null
      ? 'It is NOT signed: this laptop has no device key.'
      : 'It is signed by this laptop. Your operator checks it with `kiwistack-operator bundle verify`.',
    ...(show === true
      ? Object.entries(files).flatMap(([name, text]) => ['', `--- ${name}`, ...text.trimEnd().split('\n')])
      : ['`--show` prints all of it.']),
  ];
}
