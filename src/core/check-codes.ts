import { entry, type ErrorEntry } from './error-entry.ts';

/** What only `doctor` and `status` find; part of the table in error-codes.ts. */
export const CHECK_CODES = {
  'check-late': entry(
    'fault',
    'A check did not end in time.',
    'Something that it asks does not answer. Run `kiwistack-enroll doctor` again; if it stays so, see the details.',
    { retryable: true },
  ),
} satisfies Record<string, ErrorEntry>;
