import path from 'node:path';

import { EXIT } from '../../core/error-codes.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { unusable } from '../../core/read-given-file.ts';
import { signRequest } from '../../provider/sign-request.ts';
import { installAnswer } from '../../slice/intermediate/install-answer.ts';
import { replaceIntermediate } from '../../slice/intermediate/replace-intermediate.ts';
import { requestIntermediate } from '../../slice/intermediate/request-intermediate.ts';
import { takeRootList } from '../../slice/intermediate/take-root-list.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';
import { stoppedSlice } from './stopped-slice.ts';

export interface RequestFlags extends SliceFlags {
  readonly out: string;
  readonly newKey?: boolean;
}

export interface SignFlags extends Omit<SliceFlags, 'dir'> {
  readonly rootCertificate: string;
  readonly rootKey: string;
  readonly request: string;
  readonly out: string;
}

export interface InstallFlags extends SliceFlags {
  readonly in: string;
  readonly withoutApproval?: string;
}

export interface ReplaceFlags extends InstallFlags {
  /** False for `--not-revoked`: commander makes one option of `--x` and `--no-x` only. */
  readonly revoked?: string;
  readonly notRevoked?: boolean;
  readonly rekey?: 'itself' | 'touch';
  readonly hours?: number;
}

/** `kiwistack-slice intermediate request` */
export async function requestCommand(flags: RequestFlags): Promise<number> {
  const newKey = flags.newKey === true;
  const { text, keyDigest } = await requestIntermediate(path.resolve(flags.dir), { newKey });
  await write(flags.out, text);
  if (newKey) return printNewKey(flags, keyDigest);
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
  const dir = await stoppedSlice(flags);
  const { serialHex, notAfter } = await installAnswer(dir, flags.in, clock, flags.withoutApproval);
  printAnswer(flags, 'installed', { serial: serialHex, until: notAfter.toISOString() }, [
    `Installed the intermediate, valid until ${notAfter.toISOString()}.`,
    `Next: \`sudo kiwistack-slice up --dir ${flags.dir}\``,
  ]);
  return EXIT.done;
}

/** `kiwistack-slice intermediate replace` */
export async function replaceCommand(flags: ReplaceFlags, { clock }: CommandContext): Promise<number> {
  if ((flags.revoked === undefined) === (flags.notRevoked !== true)) {
    throw new KiwiError('usage', { detail: 'either --revoked FILE or --not-revoked' });
  }
  const dir = await stoppedSlice(flags);
  const { rekey: by, hours } = flags;
  const rekey = { ...(by === undefined ? {} : { by }), ...(hours === undefined ? {} : { hours }) };
  const how = { answer: flags.in, list: flags.revoked, rekey, without: flags.withoutApproval };
  const done = await replaceIntermediate(dir, how, clock);
  const { serialHex: serial, notAfter } = done.intermediate;
  const { old, revoked, permit } = done;
  const follow =
    done.rekey.by === 'touch'
      ? 'Each laptop has to be enrolled again with a YubiKey: `kiwistack-enroll enroll`. Its user is told so.'
      : `Laptops move to it by themselves at their next hourly check, for ${done.rekey.hours} hours; later only with a YubiKey.`;
  const answer = { serial, until: notAfter.toISOString(), old: old?.serialHex, revoked, rekey: done.rekey, permit };
  printAnswer(flags, 'replaced', answer, [
    `Replaced the intermediate; the new one is valid until ${notAfter.toISOString()}.`,
    ...(old === undefined
      ? []
      : [`  old      ${old.serialHex}, ${revoked ? 'revoked by the provider' : 'NOT revoked'}`]),
    `  new      ${serial}`,
    `  asked    ${permit.why}`,
    ...(permit.decision === 'alarm' ? ['           Every operator sees it in `kiwistack-operator alarm list`.'] : []),
    'New as well: the keys that sign grants and that ask step-ca. What was issued under the old one counts no more.',
    follow,
    `Next: \`sudo kiwistack-slice up --dir ${flags.dir}\`, then \`kiwistack-operator yubikey reissue --dir ${flags.dir}\` for each key that enrolls laptops, and \`operator reissue\` for each operator.`,
  ]);
  return EXIT.done;
}

/** `kiwistack-slice intermediate revoked` */
export async function revokedCommand(flags: InstallFlags): Promise<number> {
  const { number, revoked } = await takeRootList(path.resolve(flags.dir), flags.in);
  printAnswer(flags, 'taken', { number, revoked: revoked.length }, [
    `Took the provider's list number ${number}, with ${revoked.length} revoked intermediates.`,
    'Laptops are told at the next `up`.',
  ]);
  return EXIT.done;
}

function printNewKey(flags: RequestFlags, keyDigest: string): number {
  printAnswer(flags, 'requested', { file: path.resolve(flags.out), keyDigest }, [
    `Wrote the request for a new key to ${flags.out}. It holds nothing secret; the slice goes on with the old key until then.`,
    `Public key (SHA-256): ${keyDigest}. Read it to the provider over another channel.`,
    `Where the provider's root key is: \`kiwistack-msp sign --request ${flags.out} --key-digest ${keyDigest} …\`, and \`kiwistack-msp revoke\` of the old one`,
    `Where two operators are admins, both permit it: \`kiwistack-operator intermediate permit --key-digest ${keyDigest} --ask-approval\``,
    `Then here: \`kiwistack-slice down\`, and \`kiwistack-slice intermediate replace --dir ${flags.dir} --in ANSWER.pem --revoked ROOT.crl\``,
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
