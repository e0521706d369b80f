import { KiwiError } from '../../core/errors.ts';
import { parsePemBundle } from '../../pki/certificate.ts';
import { decryptWith } from '../../pki/jwe.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import type { Extensions } from '../../protocol/extensions.ts';
import { parseMessage } from '../../protocol/parse.ts';
import {
  SIGN_IN_DIRECTORY,
  signInAnswerIn,
  signInDirectory,
  type SignInDirectory,
} from '../../protocol/sign-in-directory.ts';
import type { DeviceKey } from '../system/device-key.ts';
import type { Platform } from '../system/platform.ts';

/** What came of it. `unsaid`: the slice is of an earlier version. */
export type SignInOutcome = 'set-up' | 'held' | 'unavailable' | 'none' | 'unsaid';

/**
 * The question, for a `status`: it names what the system has, and not what a record says that it has.
 * @param again ask for it whatever the system has
 */
export async function askForSignIn({ signIn }: Platform, again?: 'again'): Promise<Extensions> {
  const status = again === undefined ? await signIn.status() : undefined;
  const whole = status !== undefined && status.lacks.length === 0;
  const value = { held: (whole ? status.revision : undefined) ?? null };
  return { [SIGN_IN_DIRECTORY]: { critical: false, value } };
}

/**
 * Does what the slice says about signing in: sets it up, leaves it as it is, or takes it away. Repeated, it changes nothing more.
 * @throws KiwiError `sign-in-failed`, also for settings that are not as they should be; `sign-in-taken`, `tool-missing`
 */
export async function followSignIn(
  platform: Platform,
  answer: DeviceStatus,
  laptop: { readonly slug: string; readonly deviceKey: DeviceKey },
  signal?: AbortSignal,
): Promise<SignInOutcome> {
  const said = signInAnswerIn(answer);
  if (said === undefined) return 'unsaid';
  if (said.state === 'none') await platform.signIn.remove();
  if (said.state !== 'given') return said.state;
  const { slug, deviceKey } = laptop;
  const directory = await openSealed(said.sealed, deviceKey);
  // libldap of Debian is linked with GnuTLS, which cannot use a key in a TPM: the keytab stands in for it.
  const external = directory.ldap.binding === 'external' && deviceKey.kind === 'file';
  const { certificate, key } = platform.certificates.paths(slug);
  await platform.signIn.setUp({ slug, directory, ...(external ? { certificate: { certificate, key } } : {}) }, signal);
  return 'set-up';
}

async function openSealed(sealed: string, deviceKey: DeviceKey): Promise<SignInDirectory> {
  const refuse = (detail: string, cause?: unknown): KiwiError =>
    new KiwiError('sign-in-failed', { detail: `what the slice says: ${detail}`, cause });
  const text = await decryptWith(deviceKey, sealed, TYP.signInEncrypted).catch((error: unknown) => {
    if (error instanceof KiwiError) throw error;
    throw refuse('it is not for this device', error);
  });
  const directory = parseMessage(signInDirectory, text, LIMITS.signIn, 'sign-in-failed');
  try {
    if (parsePemBundle(directory.ldap.roots).length > 0) return directory;
  } catch (error) {
    throw refuse('its roots are no certificates', error);
  }
  throw refuse('it has no roots');
}
