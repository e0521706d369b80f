import { entry, type ErrorEntry } from './error-entry.ts';

/** What the slice refuses, in the order of its checks: a part of the table in error-codes.ts. */
export const REFUSAL_CODES = {
  'request-malformed': entry('fault', 'The request is not of the form of kiwi/1.', 'Update kiwistack-enroll.', {
    http: 400,
  }),
  'request-too-large': entry('fault', 'The request is too large.', 'Update kiwistack-enroll.', { http: 413 }),
  'protocol-unsupported': entry(
    'refused',
    'The slice does not speak this version of the protocol.',
    'Update kiwistack-enroll.',
    { http: 400 },
  ),
  'agent-too-old': entry(
    'refused',
    'This version of kiwistack-enroll is too old for the slice.',
    'Update kiwistack-enroll.',
    { http: 403 },
  ),
  'not-found': entry('refused', 'There is no such thing at the slice.', 'Start again with `kiwistack-enroll enroll`.', {
    http: 404,
  }),
  'too-many-requests': entry(
    'unreachable',
    'The slice is asked too often from here.',
    'Wait a minute and run it again.',
    { http: 429, retryable: true },
  ),
  'session-unknown': entry(
    'refused',
    'The slice does not know this enrollment session.',
    'Run it again from the start.',
    { http: 404 },
  ),
  'session-expired': entry(
    'refused',
    'The enrollment session is over.',
    'Run it again and answer PIN and touch within five minutes.',
    { http: 410 },
  ),
  'session-used': entry('refused', 'This enrollment session was used already.', 'Run it again from the start.', {
    http: 409,
  }),
  'attempt-conflict': entry(
    'refused',
    'The slice has another statement for the same attempt.',
    'Run it again from the start.',
    { http: 409 },
  ),
  'statement-undecryptable': entry(
    'refused',
    'The statement was not encrypted for this session.',
    'Run it again from the start.',
    { http: 400 },
  ),
  'statement-mismatch': entry(
    'refused',
    'The statement does not belong to this session.',
    'Run it again from the start.',
    { http: 403 },
  ),
  'key-signature-refused': entry(
    'refused',
    "The slice does not accept the YubiKey's signature.",
    'Run it again; tell your operator if it stays.',
    { http: 403 },
  ),
  'device-signature-refused': entry(
    'refused',
    "The slice does not accept the device key's signature.",
    'Run it again; tell your operator if it stays.',
    { http: 403 },
  ),
  'key-chain-refused': entry(
    'refused',
    'The certificate on the YubiKey was not issued by this customer.',
    'Use the YubiKey of this customer.',
    { http: 403 },
  ),
  'key-certificate-expired': entry(
    'refused',
    'The certificate on the YubiKey is out of date.',
    'Ask your operator for a new one.',
    { http: 403 },
  ),
  'key-certificate-revoked': entry(
    'refused',
    'The certificate on the YubiKey was revoked.',
    'Ask your operator for a new key.',
    { http: 403 },
  ),
  'attestation-refused': entry(
    'refused',
    'The key is not proven to be inside a genuine YubiKey.',
    'Use the YubiKey that your operator gave you.',
    { http: 403 },
  ),
  'attestation-slot-refused': entry(
    'refused',
    'The attestation is for another slot of the YubiKey.',
    'Tell your operator.',
    { http: 403 },
  ),
  'attestation-serial-refused': entry('refused', 'The attestation names another YubiKey.', 'Tell your operator.', {
    http: 403,
  }),
  'yubikey-unregistered': entry(
    'refused',
    'This YubiKey is not registered with the customer.',
    'Ask your operator to register it.',
    { http: 403 },
  ),
  'yubikey-burned': entry('refused', 'This YubiKey was reported lost and is blocked.', 'Hand it to your operator.', {
    http: 403,
  }),
  'policy-refused': entry(
    'refused',
    'The YubiKey does not ask for PIN and touch as the customer demands.',
    'Ask your operator to provision it again.',
    { http: 403 },
  ),
  'csr-refused': entry('refused', 'The certificate request does not fit the device key.', 'Update kiwistack-enroll.', {
    http: 403,
  }),
  'fingerprint-known': entry(
    'refused',
    'This laptop is registered already.',
    'Ask your operator to consent to its re-enrollment.',
    { http: 409 },
  ),
  'fingerprint-clone': entry(
    'refused',
    'Another laptop with the same identity is registered.',
    'Tell your operator: a disk may have been copied.',
    { http: 409 },
  ),
  'fingerprint-refused': entry('refused', 'The fingerprint of this laptop is not acceptable.', 'Ask your operator.', {
    http: 403,
  }),
  'consent-refused': entry(
    'refused',
    'The consent for this re-enrollment is not valid.',
    'Ask your operator for a new consent.',
    { http: 403 },
  ),
  'quota-exceeded': entry('refused', 'The customer has no room for another laptop.', 'Ask your operator.', {
    http: 403,
  }),
  'ca-unavailable': entry(
    'unreachable',
    'The slice cannot issue certificates right now.',
    'Nothing was used up. Run it again in a few minutes.',
    { http: 503, retryable: true },
  ),
  'endpoint-unavailable': entry(
    'unreachable',
    'The tunnel endpoint of the slice is not available right now.',
    'Nothing was used up. Run it again in a few minutes.',
    { http: 503, retryable: true },
  ),
  'device-unknown': entry('refused', 'The slice does not know this device.', 'Run `kiwistack-enroll enroll`.', {
    http: 404,
  }),
  'device-ended': entry(
    'refused',
    'This device was removed from the slice.',
    'Ask your operator. To enroll again, run `kiwistack-enroll uninstall` first.',
    {
      http: 410,
    },
  ),
  'confirm-mismatch': entry('refused', 'The confirmation does not fit the grant.', 'Run it again from the start.', {
    http: 403,
  }),
} satisfies Record<string, ErrorEntry>;
