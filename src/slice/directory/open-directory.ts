import path from 'node:path';

import type { Clock } from '../../core/clock.ts';
import { isMissing } from '../../core/durable-file.ts';
import { readSliceFile } from '../config/read-slice-file.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import { readPart } from '../config/slice-identity.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { createDirectory, type Directory } from './directory.ts';
import type { DeviceAccounts } from './device-accounts.ts';
import { createKadmin } from './kadmin.ts';
import { kadminAccounts } from './kadmin-accounts.ts';
import { signInOffice, type SignInOffice } from './sign-in-office.ts';
import { udmAccounts } from './udm-accounts.ts';
import type { DirectoryAccess, DirectoryConfig } from './with-directory.ts';

/** The customer's directory, and how laptops' people sign in by it, where the customer wants that. */
export type OpenDirectory = Directory & { readonly signIn?: SignInOffice };

/**
 * The directory that slice.json names, or none. Its CA is in directory-ca.pem; without that file, the provider's root is trusted.
 * @throws KiwiError `slice-damaged` when a secret is missing, or others can read it
 */
export async function openDirectory(
  paths: SlicePaths,
  config: SliceConfig,
  mspRoot: string,
  clock: Clock,
): Promise<OpenDirectory | undefined> {
  const { directory } = config;
  if (directory === undefined) return undefined;
  const secret = (await readPart(paths.directory.secret, true)).toString('utf8').trim();
  const access = { secret, ca: (await ownCa(paths.directory.ca)) ?? mspRoot };
  const { signIn } = directory;
  if (signIn === undefined) return createDirectory(directory, access);
  // Now, and not when the first laptop asks.
  if (signIn.accounts.by === 'kadmin') await readPart(paths.directory.keytab, true);
  const accounts = accountsOf(directory, signIn, access, { paths, clock });
  return { ...createDirectory(directory, access), signIn: signInOffice(signIn, accounts, access.ca, clock) };
}

function accountsOf(
  directory: DirectoryConfig,
  { accounts, hosts, realm, kdcs }: NonNullable<DirectoryConfig['signIn']>,
  access: DirectoryAccess,
  { paths, clock }: { readonly paths: SlicePaths; readonly clock: Clock },
): DeviceAccounts {
  switch (accounts.by) {
    case 'kadmin': {
      const { program, principal, server } = accounts;
      const kadmin = createKadmin({
        ...{ program, principal, realm, kdcs, server },
        ...{ keytab: paths.directory.keytab, folder: path.join(paths.run.dir, 'kadmin') },
      });
      return kadminAccounts(directory, access, kadmin, { hosts, realm });
    }
    case 'udm': {
      const { url, user, position } = accounts;
      const { ca, secret: password } = access;
      return udmAccounts({ url, user, position, ca, password, hosts, realm, now: () => clock.now() });
    }
  }
}

async function ownCa(file: string): Promise<string | undefined> {
  try {
    return (await readSliceFile(file, { private: false })).toString('utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
