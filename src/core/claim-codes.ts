import { entry, type ErrorEntry } from './error-entry.ts';

/** What can be wrong with a laptop that an OEM has delivered, and with its token; part of the table in error-codes.ts. */
export const CLAIM_CODES = {
  // --- on the laptop
  'claim-token-missing': entry(
    'machine',
    'There is no token of an OEM on this laptop.',
    'Enroll it with a YubiKey: `kiwistack-enroll enroll`.',
    { operatorHint: 'It was used, or is on another laptop.' },
  ),
  'claim-token-damaged': entry(
    'machine',
    'The token on this laptop cannot be read.',
    'Ask your operator for another token, or enroll the laptop with a YubiKey.',
    { operatorHint: 'Make another token: `kiwistack-operator batch create`.' },
  ),
  'claim-token-unknown': entry(
    'refused',
    'The slice does not know the token of this laptop.',
    'Ask your operator, who can make another token for it.',
    { operatorHint: 'Make another token: `kiwistack-operator batch create`.' },
  ),
  // --- the gateway's refusals, in the order of its checks
  'claim-refused': entry('refused', 'The slice does not accept the token.', 'Ask your operator for another token.', {
    http: 403,
    operatorHint: 'Make another token: `kiwistack-operator batch create`.',
  }),
  'claim-token-revoked': entry(
    'refused',
    'The token of this laptop was revoked.',
    'Ask your operator for another token.',
    { http: 403, operatorHint: 'Make another token: `kiwistack-operator batch create`.' },
  ),
  'claim-token-used': entry(
    'refused',
    'The token of this laptop was used already.',
    'Ask your operator, who can let it be used once more.',
    { http: 409, operatorHint: 'Find out which laptop used it, then `kiwistack-operator claim reopen`.' },
  ),
  'claim-token-expired': entry(
    'refused',
    'The token of this laptop has expired.',
    'Ask your operator, who can prolong it.',
    { http: 403, operatorHint: 'Prolong it: `kiwistack-operator claim reopen`.' },
  ),
  'claim-other-laptop': entry(
    'refused',
    'The token on this laptop is for another one.',
    'Ask your operator. If the mainboard was changed, it is the same laptop to you, but not to the slice.',
    {
      http: 403,
      operatorHint:
        'Find out where the disk or the token comes from. If the mainboard was changed: `kiwistack-operator claim reopen`.',
    },
  ),
  'claim-not-approved': entry(
    'refused',
    'An operator has refused to let this laptop in.',
    'Ask your operator why, and for another token.',
    {
      http: 403,
      operatorHint: 'Refused claims stay refused. The token can be used again at another start.',
    },
  ),
  'claim-waits': entry(
    'unreachable',
    'This laptop waits for an operator, who has to let it in.',
    'Tell your operator the six digits that it shows.',
    { http: 503, retryable: true, operatorHint: 'Compare the six digits, then `kiwistack-operator claim approve`.' },
  ),
} satisfies Record<string, ErrorEntry>;
