import { entry, type ErrorEntry } from './error-entry.ts';

/** The slice's refusals, in the order of its checks; part of the table in error-codes.ts. */
export const REFUSAL_CODES = {
  'request-malformed': entry('fault', 'The request is not a valid kiwi/1 message.', 'Update kiwistack-enroll.', {
    http: 400,
    operatorHint: 'Update kiwistack-operator, or the slice: one of them is older.',
  }),
  'request-too-large': entry('fault', 'The request is too large.', 'Update kiwistack-enroll.', {
    http: 413,
    operatorHint: 'Ask for less at once.',
  }),
  'protocol-unsupported': entry(
    'refused',
    'The slice does not support this version of the protocol.',
    'Update kiwistack-enroll.',
    { http: 400 },
  ),
  'agent-too-old': entry(
    'refused',
    'This version of kiwistack-enroll is too old for the slice.',
    'Update kiwistack-enroll.',
    { http: 403 },
  ),
  'not-found': entry('refused', 'The slice has no such resource.', 'Start again with `kiwistack-enroll enroll`.', {
    http: 404,
    operatorHint: 'The slice is older than this program. Update it.',
  }),
  'too-many-requests': entry(
    'unreachable',
    'Too many requests came from this network.',
    'Wait a minute and run the command again.',
    { http: 429, retryable: true },
  ),
  'slice-busy': entry(
    'unreachable',
    'The slice is busy with many laptops at once.',
    'Nothing has to be done: a renewal is tried again by itself. Otherwise wait a minute and run the command again.',
    { http: 503, retryable: true },
  ),
  'session-unknown': entry('refused', 'The slice does not know this enrollment session.', 'Run the command again.', {
    http: 404,
  }),
  'session-expired': entry(
    'refused',
    'The enrollment session has expired.',
    'Run the command again, then enter the PIN and touch the YubiKey within five minutes.',
    { http: 410 },
  ),
  'session-used': entry('refused', 'This enrollment session was already used.', 'Run the command again.', {
    http: 409,
  }),
  'attempt-conflict': entry(
    'refused',
    'The slice already has a different message for this enrollment attempt.',
    'Run the command again.',
    { http: 409 },
  ),
  'statement-undecryptable': entry(
    'refused',
    'The statement was not encrypted for this session.',
    'Run the command again.',
    { http: 400 },
  ),
  'statement-mismatch': entry('refused', 'The statement does not belong to this session.', 'Run the command again.', {
    http: 403,
  }),
  'key-signature-refused': entry(
    'refused',
    "The slice does not accept the YubiKey's signature.",
    'Run the command again. If it happens again, tell your operator.',
    { http: 403 },
  ),
  'device-signature-refused': entry(
    'refused',
    "The slice does not accept the device key's signature.",
    'Run the command again. If it happens again, tell your operator.',
    { http: 403 },
  ),
  'key-chain-refused': entry(
    'refused',
    'The certificate on the YubiKey was not issued for this customer.',
    "Use this customer's YubiKey.",
    { http: 403 },
  ),
  'key-certificate-expired': entry(
    'refused',
    'The certificate on the YubiKey has expired.',
    'Ask your operator for a new one.',
    { http: 403 },
  ),
  'key-certificate-revoked': entry(
    'refused',
    'The certificate on the YubiKey was revoked.',
    'Ask your operator for a new YubiKey.',
    { http: 403 },
  ),
  'attestation-refused': entry(
    'refused',
    'The attestation does not prove that the key is inside a genuine YubiKey.',
    'Use the YubiKey that your operator gave you.',
    { http: 403, operatorHint: 'Do not hand out this YubiKey: the details say what its attestation lacks.' },
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
    { http: 403, operatorHint: 'Check the serial number: `kiwistack-operator yubikey list` shows those of the slice.' },
  ),
  'yubikey-burned': entry(
    'refused',
    'This YubiKey was reported lost and is blocked.',
    'Give it to your operator, who can take it back into use.',
    {
      http: 403,
      operatorHint: 'If it was found, `kiwistack-operator yubikey provision --reinstate` gives it a new key.',
    },
  ),
  'policy-refused': entry(
    'refused',
    "The YubiKey's PIN policy, touch policy or firmware is not what the customer requires.",
    'Ask your operator to provision it again, or to give you another one.',
    { http: 403, operatorHint: 'The details say what differs: provision the key again, or use another YubiKey.' },
  ),
  'tpm-key-refused': entry(
    'refused',
    'What the laptop says of the device key in its TPM does not fit.',
    'Update kiwistack-enroll.',
    { http: 403, operatorHint: 'The details say what does not fit. No laptop that runs our program says that.' },
  ),
  'tpm-maker-unknown': entry(
    'refused',
    'The customer does not trust the maker of the TPM in this laptop.',
    'Ask your operator, who decides which makers are trusted.',
    {
      http: 403,
      operatorHint:
        "To trust the maker, add its certificates to tpm-makers.pem in the slice's folder and restart the slice.",
    },
  ),
  'tpm-proof-refused': entry(
    'refused',
    'The laptop did not prove that its device key is in its TPM.',
    'Run the command again. If it happens again, tell your operator.',
    { http: 403 },
  ),
  'tpm-key-required': entry(
    'refused',
    'The customer requires device keys in a TPM, and this one is not.',
    'Update kiwistack-enroll. If this laptop has no TPM 2.0, ask your operator.',
    {
      http: 403,
      operatorHint: 'slice.json requires it: deviceKey.tpm. Laptops without a TPM enroll where it says `prefer`.',
    },
  ),
  'wireguard-key-refused': entry(
    'refused',
    'The laptop did not prove that it holds its WireGuard key.',
    'Update kiwistack-enroll.',
    { http: 403 },
  ),
  'csr-refused': entry(
    'refused',
    'The certificate request does not match the device key.',
    'Update kiwistack-enroll.',
    { http: 403, operatorHint: "step-ca refused it: see the details, and ca/step-ca.log in the slice's folder." },
  ),
  'fingerprint-known': entry(
    'refused',
    'This laptop is already registered.',
    'Ask your operator to consent to its re-enrollment.',
    { http: 409 },
  ),
  'fingerprint-clone': entry(
    'refused',
    'Another laptop with the same hardware identity is already registered.',
    'Tell your operator: a disk may have been copied.',
    { http: 409 },
  ),
  'fingerprint-refused': entry(
    'refused',
    "The slice does not accept this laptop's hardware fingerprint.",
    'Ask your operator.',
    {
      http: 403,
    },
  ),
  'consent-refused': entry(
    'refused',
    'The consent for this re-enrollment is not valid.',
    'Ask your operator for a new consent.',
    { http: 403, operatorHint: 'See `kiwistack-operator device consents`.' },
  ),
  'quota-exceeded': entry('refused', "The customer's quota of laptops is used up.", 'Ask your operator.', {
    http: 403,
  }),
  'ca-unavailable': entry(
    'unreachable',
    'The slice cannot issue certificates right now.',
    'Run the command again in a few minutes.',
    {
      http: 503,
      retryable: true,
      operatorHint: 'See `kiwistack-slice status --dir DIR`, and start the slice if it is not running.',
    },
  ),
  'endpoint-unavailable': entry(
    'unreachable',
    "The slice's tunnel endpoint is not available right now.",
    'Run the command again in a few minutes.',
    {
      http: 503,
      retryable: true,
      operatorHint: 'The details say what WireGuard reported. See `kiwistack-slice status --dir DIR`.',
    },
  ),
  'registry-unavailable': entry(
    'unreachable',
    'The slice cannot read or store its records right now.',
    'Nothing was changed. Run the command again in a few minutes.',
    { http: 503, retryable: true },
  ),
  'bundle-invalid': entry(
    'refused',
    'The support bundle is damaged, or it is not of the laptop that it names.',
    'Make a new one with `kiwistack-enroll support-bundle`.',
    {
      http: 400,
      operatorHint: 'The details say what does not fit. Ask for a new one, and do not rely on what this one says.',
    },
  ),
  'device-unknown': entry(
    'refused',
    'The slice does not know this device.',
    'To enroll this laptop, run `kiwistack-enroll enroll`.',
    { http: 404, operatorHint: 'See `kiwistack-operator device list`.' },
  ),
  'device-ended': entry(
    'refused',
    'This device was removed from the slice.',
    'Ask your operator. To enroll again, run `kiwistack-enroll uninstall` first.',
    {
      http: 410,
    },
  ),
  'device-copied': entry(
    'refused',
    'Two laptops use this enrollment, or this one was restored from a backup, so its certificate is not renewed.',
    'Ask your operator, who has to find out which one may go on and to release it.',
    { http: 409 },
  ),
  'certificate-expired': entry(
    'refused',
    'The device certificate expired too long ago to be renewed.',
    'Enroll this laptop again: run `kiwistack-enroll enroll` with your YubiKey.',
    { http: 403 },
  ),
  'touch-required': entry(
    'person',
    'Your organisation has new keys, and wants this laptop to be enrolled again with a YubiKey.',
    'Have your YubiKey renewed by your operator, plug it in and run `kiwistack-enroll enroll`.',
    { http: 403 },
  ),
  'confirm-mismatch': entry('refused', 'The confirmation does not match the grant.', 'Run the command again.', {
    http: 403,
  }),
  'escrow-refused': entry(
    'refused',
    'The slice does not take this recovery key: it is for other recipients, or there is a newer one.',
    'Nothing has to be done: the laptop makes another one by itself within an hour.',
    { http: 409 },
  ),
} satisfies Record<string, ErrorEntry>;
