import { base64url, digest } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import { encryptTo } from '../../pki/jwe.ts';
import { TYP, type P256Jwk } from '../../protocol/common.ts';
import type { SignInAnswer, SignInDirectory } from '../../protocol/sign-in-directory.ts';
import type { DirectoryConfig } from './with-directory.ts';
import type { AccountOwner, DeviceAccounts } from './device-accounts.ts';

/** A laptop that asks how people sign in. */
export interface SignInAsker extends AccountOwner {
  readonly deviceKey: P256Jwk;
  /** With a key in a TPM it cannot bind with its certificate: libldap of Debian cannot use one. */
  readonly keyKind: 'tpm' | 'unproven';
}

export interface SignInReply {
  readonly answer: SignInAnswer;
  /** Why it is unavailable. */
  readonly error?: KiwiError;
}

/** Tells laptops how people sign in. */
export interface SignInOffice {
  readonly accounts: DeviceAccounts;
  /**
   * What to answer a laptop. It never takes long: whatever the directory does, the laptop gets the rest of its answer.
   * @param held the revision that it has
   * @param willMake called before the first account of this device is made, so that it is removed one day
   */
  reply(asker: SignInAsker, held: string | null, willMake: () => Promise<void>): Promise<SignInReply>;
}

/** Less than a laptop waits for its answer. */
const PATIENCE_MS = 6000;
/** When the settings change, every laptop asks within an hour; whoever comes beyond it asks again in the next one. */
const AT_ONCE = 8;

export function signInOffice(
  settings: NonNullable<DirectoryConfig['signIn']>,
  accounts: DeviceAccounts,
  roots: string,
  clock: Clock,
): SignInOffice {
  /** What is being made, so that a laptop that asks again waits for that one. */
  const making = new Map<string, Promise<Buffer>>();
  const make = (asker: SignInAsker, willMake: () => Promise<void>): Promise<Buffer> => {
    const { deviceId, hostName } = asker;
    const before = making.get(deviceId);
    if (before !== undefined) return before;
    const made = willMake()
      .then(() => accounts.make({ deviceId, hostName }))
      .finally(() => making.delete(deviceId));
    making.set(deviceId, made);
    return made;
  };
  return {
    accounts,
    async reply(asker, held, willMake) {
      const { uris, base, schema, binding, realm, kdcs, domains, hosts, offlineDays } = settings;
      const said: Omit<SignInDirectory, 'revision'> = {
        ldap: { uris, base, roots, schema, binding: asker.keyKind === 'tpm' ? 'gssapi' : binding },
        kerberos: {
          ...{ realm, kdcs, domains: domains ?? [hosts] },
          ...{ principal: accounts.principal(asker), keytab: '' },
        },
        offlineDays,
      };
      const revision = digest(JSON.stringify(said));
      if (held === revision) return { answer: { state: 'held' } };
      if (making.size >= AT_ONCE && !making.has(asker.deviceId)) return { answer: { state: 'unavailable' } };
      const over = new AbortController();
      try {
        const late = clock.sleep(PATIENCE_MS, over.signal).then(
          () => undefined,
          () => undefined,
        );
        const made = make(asker, willMake);
        made.catch(() => undefined);
        const keytab = await Promise.race([made, late]);
        if (keytab === undefined) return { answer: { state: 'unavailable' } };
        const given: SignInDirectory = {
          ...{ ...said, revision },
          kerberos: { ...said.kerberos, keytab: base64url(keytab) },
        };
        const sealed = await encryptTo(asker.deviceKey, JSON.stringify(given), TYP.signInEncrypted);
        return { answer: { state: 'given', sealed } };
      } catch (error) {
        return { answer: { state: 'unavailable' }, error: toKiwiError(error) };
      } finally {
        over.abort();
      }
    },
  };
}
