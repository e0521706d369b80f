import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { unusable } from '../../core/read-given-file.ts';
import { isAlive } from '../../programs/process-mark.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { installAnswer } from '../../slice/intermediate/install-answer.ts';
import { requestIntermediate } from '../../slice/intermediate/request-intermediate.ts';
import { signRequest } from '../../slice/intermediate/sign-request.ts';
import { readRunRecord } from '../../slice/run/run-record.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

export interface RequestFlags extends SliceFlags {
  readonly out: string;
}

export interface SignFlags extends Omit<SliceFlags, 'dir'> {
  readonly rootCertificate: string;
  readonly rootKey: string;
  readonly request: string;
  readonly out: string;
}

export interface InstallFlags extends SliceFlags {
  readonly in: string;
}

/** `kiwistack-slice intermediate request` */
export async function requestCommand(flags: RequestFlags): Promise<number> {
  const { text, keyDigest } = await requestIntermediate(path.resolve(flags.dir));
  await write(flags.out, text);
  printAnswer(flags, 'requested', { file: path.resolve(flags.out), keyDigest }, [
    `Wrote the request to ${flags.out}. It holds nothing secret.`,
    `Public key (SHA-256): ${keyDigest}. Read it to the provider over another channel.`,
    `Where the provider's root key is: \`kiwistack-slice intermediate sign --root-certificate ROOT.crt --root-key ROOT.key --request ${flags.out} --out ANSWER.pem\``,
    `Then here: \`kiwistack-slice intermediate install --dir ${flags.dir} --in ANSWER.pem\``,
  ]);
  return EXIT.done;
}

/** `kiwistack-slice intermediate sign`, without a slice, where the provider's root key is. */
export async function signCommand(flags: SignFlags, { clock }: CommandContext): Promise<number> {
  const { answer, scope, certificate, keyDigest } = await signRequest(flags, clock);
  await write(flags.out, answer);
  const { customer, domains, networks } = scope;
  const until = certificate.notAfter.toISOString();
  printAnswer(flags, 'signed', { file: path.resolve(flags.out), customer, domains, networks, keyDigest, until }, [
    `Signed an intermediate for ${customer.name} (${customer.slug}), valid until ${until}: ${flags.out}`,
    `  domains     ${domains.length === 0 ? 'none' : domains.join(', ')}`,
    `  networks    ${networks.join(', ')}`,
    `  public key  ${keyDigest} (SHA-256)`,
    'Hand it over only if all of these are the customer’s: it can certify any server with these names.',
  ]);
  return EXIT.done;
}

/** `kiwistack-slice intermediate install` */
export async function installCommand(flags: InstallFlags, { clock }: CommandContext): Promise<number> {
  const dir = path.resolve(flags.dir);
  await readSliceConfig(dir);
  // A running slice has the old one in memory, and step-ca would go on with both.
  const record = await readRunRecord(slicePaths(dir).run.lock);
  if (record !== undefined && (await isAlive(record.slice))) {
    throw new KiwiError('slice-running', { hint: `Stop it first: \`kiwistack-slice down --dir ${flags.dir}\`.` });
  }
  const { serialHex, notAfter } = await installAnswer(dir, flags.in, clock);
  printAnswer(flags, 'installed', { serial: serialHex, until: notAfter.toISOString() }, [
    `Installed the intermediate, valid until ${notAfter.toISOString()}.`,
    `Next: \`sudo kiwistack-slice up --dir ${flags.dir}\``,
  ]);
  return EXIT.done;
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeDurableFile(path.resolve(file), text, 0o644);
  } catch (error) {
    throw unusable(file, 'cannot be written', { option: '--out', cause: error });
  }
}
