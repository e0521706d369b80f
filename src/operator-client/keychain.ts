import { KiwiError } from '../core/errors.ts';

/** The keychain of whoever is logged in: the secret service (Linux), the Keychain (macOS), Credential Manager (Windows). */
export interface Keychain {
  get(account: string): Promise<string | undefined>;
  set(account: string, secret: string): Promise<void>;
  /** Also when there is none. */
  remove(account: string): Promise<void>;
}

const SERVICE = 'kiwistack-operator';

/**
 * The keychain through keytar, which is loaded only when it is used: it is a native addon that needs libsecret on Linux, and no slice or
 * laptop needs it.
 * @throws KiwiError `keychain-unavailable`, also from each method
 */
export async function openKeychain(): Promise<Keychain> {
  const keytar = await available(async () => (await import('keytar')).default);
  return {
    get: async (account) => (await available(() => keytar.getPassword(SERVICE, account))) ?? undefined,
    set: (account, secret) => available(() => keytar.setPassword(SERVICE, account, secret)),
    remove: async (account) => {
      await available(() => keytar.deletePassword(SERVICE, account));
    },
  };
}

async function available<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // Never what was to be stored: keytar's errors are those of the secret service.
    const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '').slice(0, 200) : 'unknown';
    throw new KiwiError('keychain-unavailable', { detail, cause: error });
  }
}
