import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { EXIT } from '../../core/error-codes.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { writeNewFile } from '../../core/write-new-file.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { DAY, issueCertificate, YEAR, type IssueInput } from '../../pki/issue.ts';
import { generateP256 } from '../../pki/keys.ts';
import { printAnswer } from '../../terminal/report.ts';
import { readPinFromDescriptor } from '../../terminal/read-pin-from-descriptor.ts';
import { generateInSlot, importCertificate } from '../../token/provision.ts';
import { openToken } from '../../token/token.ts';
import { ROOT_SLOT } from './root-in-use.ts';
import { tokenSigner, type TokenFlags } from './token-signer.ts';

export interface RootCommandFlags extends TokenFlags {
  readonly name: string;
  readonly out: string;
  /** A file for the key; absent: it is made in a YubiKey, which it never leaves. */
  readonly key?: string;
  readonly serial?: number;
  readonly managementKeyFd?: number;
}

/** `kiwistack-msp root`: makes a provider's root. */
export async function rootCommand(flags: RootCommandFlags, clock: Clock, signal: AbortSignal): Promise<number> {
  const now = new Date(clock.now());
  const content: Omit<IssueInput, 'key'> = {
    subject: { cn: `${flags.name} root`, o: flags.name },
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + 20 * YEAR),
    ca: { pathLength: 1 },
  };
  const { root, where } = await (flags.key === undefined
    ? inYubikey(flags, content, signal)
    : inFile(flags.key, content));
  await writeDurableFile(path.resolve(flags.out), root.pem, 0o644);
  const until = root.notAfter.toISOString();
  printAnswer(flags, 'made', { file: path.resolve(flags.out), until, where }, [
    `Made the root ${flags.name}, valid until ${until}: ${flags.out}. Its key is in ${where}.`,
    'Laptops pin this certificate: `npm run build:deb -- --msp-roots`. Whoever has the key can speak for every customer of yours.',
  ]);
  return EXIT.done;
}

async function inFile(
  file: string,
  content: Omit<IssueInput, 'key'>,
): Promise<{ readonly root: Certificate; readonly where: string }> {
  const key = generateP256();
  const root = await issueCertificate({ ...content, key });
  await writeNewFile(path.resolve(file), key.export({ type: 'pkcs8', format: 'pem' }).toString());
  return { root, where: path.resolve(file) };
}

async function inYubikey(
  flags: RootCommandFlags,
  content: Omit<IssueInput, 'key'>,
  signal: AbortSignal,
): Promise<{ readonly root: Certificate; readonly where: string }> {
  const { managementKeyFd } = flags;
  const managementKey =
    managementKeyFd === undefined ? 'default' : await readPinFromDescriptor(managementKeyFd, signal);
  const token = await openToken({ signal });
  try {
    const plugged = (await token.list(signal)).filter(({ serial }) => serial === (flags.serial ?? serial));
    const [only, ...more] = plugged;
    if (only === undefined) throw new KiwiError('key-absent');
    if (more.length > 0) throw new KiwiError('key-several', { detail: 'name one with --serial' });
    const { serial } = only;
    // Never over a key: it may be that of another root.
    if (await token.slotKey(serial, ROOT_SLOT, signal).then(Boolean, () => false)) {
      throw new KiwiError('usage', { detail: `slot ${ROOT_SLOT} of YubiKey ${serial} has a key already` });
    }
    const policy = { pinPolicy: 'always', touchPolicy: 'always' } as const;
    const key = await generateInSlot(token, { serial, slot: ROOT_SLOT, ...policy, managementKey, signal });
    const selfSigner = tokenSigner(token, key, flags, signal);
    const root = await issueCertificate({ ...content, key: key.publicKey, selfSigner });
    await importCertificate(token, { serial, slot: ROOT_SLOT, der: root.der, managementKey, signal });
    return { root, where: `slot ${ROOT_SLOT} of YubiKey ${serial}` };
  } finally {
    await token.close();
  }
}
