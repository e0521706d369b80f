import { entry, type ErrorEntry } from './error-entry.ts';

/** What can be wrong with a new version that a laptop is offered; part of the table in error-codes.ts. */
export const UPDATE_CODES = {
  'update-not-proven': entry(
    'refused',
    'A new version was offered that your provider has not signed.',
    'Nothing was installed. Tell your operator: what the gateway hands out may have been tampered with.',
  ),
  'update-expired': entry(
    'refused',
    "The offer of a new version is past its provider's date.",
    'Nothing was installed. Tell your operator that the provider has to sign a new one. A wrong clock on this laptop has the same effect.',
  ),
  'update-replayed': entry(
    'refused',
    'An older offer of a new version came back after a newer one.',
    'Nothing was installed. Tell your operator: the gateway hands out an old one.',
  ),
  'update-unfit': entry(
    'refused',
    'A package of the new version is not what its provider has signed.',
    'It was deleted, and the version on this laptop stays. Tell your operator.',
  ),
  'update-not-installed': entry(
    'fault',
    'The new version could not be installed.',
    'The version on this laptop stays. The details show what the package manager reported; the next try is in a day.',
    { retryable: true },
  ),
} satisfies Record<string, ErrorEntry>;
