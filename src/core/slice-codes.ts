import { entry, type ErrorEntry } from './error-entry.ts';

/** What operators meet on the slice's own machine; part of the table in error-codes.ts. */
export const SLICE_CODES = {
  'slice-exists': entry(
    'usage',
    'This folder already contains a slice.',
    'Choose another --dir. Never remove this folder while the slice is needed: it holds keys that nobody can make again.',
  ),
  'slice-missing': entry(
    'usage',
    'This folder does not contain a slice.',
    'Check --dir, or create a slice with `kiwistack-slice init`.',
  ),
  'slice-damaged': entry(
    'fault',
    "One of the slice's files is missing, malformed or readable by other users.",
    "The details name it. Restore it from a backup, or let only the owner of the slice's folder read it (chmod 600).",
  ),
  'slice-unfinished': entry(
    'person',
    "The slice has no intermediate yet: the provider's root has to sign its request.",
    'Run `kiwistack-slice intermediate request`, have the provider sign it with `intermediate sign`, then run `intermediate install`.',
  ),
  'intermediate-refused': entry(
    'refused',
    'The slice cannot use this intermediate certificate.',
    'The details say why. Have the provider sign the request of this slice again: `kiwistack-slice intermediate request`.',
  ),
  'slice-handed-over': entry(
    'usage',
    'This slice was handed over to another place, and does not start here any more.',
    'The recipient makes it of the file: `kiwistack-slice restore`. Keep this folder for its records, or remove it.',
  ),
  'provider-policy-refused': entry(
    'refused',
    "The provider's policy does not allow this intermediate.",
    'The details say what is outside it. Compare with the customer, then correct the request or the policy file.',
  ),
  'slice-running': entry('person', 'The slice is already running.', 'See `kiwistack-slice status --dir DIR`.'),
  'slice-conflict': entry(
    'usage',
    'Something that the slice needs is in use by something else on this machine.',
    'The details name it. Stop what holds it, or change slice.json: gateway.listen, wireguard or ca.',
  ),
  'slice-part-failed': entry(
    'fault',
    'Part of the slice could not be started or stopped.',
    'The details name the part and what it reported. Correct that, and run `kiwistack-slice up --dir DIR` again.',
  ),
  'slice-unsafe': entry(
    'fault',
    "The slice's CA would let others renew or change certificates.",
    'Restore the ca.json that `kiwistack-slice init` wrote: both provisioners must have renewal disabled.',
  ),
  'slice-unwell': entry(
    'machine',
    'Something of the slice is not as it should be.',
    'See `kiwistack-slice doctor --dir DIR`, which says what to do.',
  ),
  'backup-damaged': entry(
    'refused',
    'This backup is not as it was written.',
    'Nothing of it was used. The details say what is wrong; take an older backup, or another copy of this one.',
  ),
  'backup-key-refused': entry(
    'usage',
    'This key does not open the backup.',
    'The details name the keys that do: SHA-256 of the public key (RFC 7638). Give one of these with --key.',
  ),
  'directory-unavailable': entry(
    'unreachable',
    'The directory did not do what it was asked.',
    'The details name what it said. Check `directory` in slice.json, directory-secret and directory-ca.pem; it is tried again while the slice runs.',
  ),
  'key-not-new': entry(
    'person',
    'The YubiKey does not have the PIN, PUK and management key of the factory.',
    'Somebody has used it, or an earlier run was cut off. Run the command with --reset, which erases the keys and certificates on it (PIV), or use another YubiKey.',
  ),
  'key-not-fips': entry(
    'refused',
    'The YubiKey is none of the FIPS series, and only those are wanted.',
    'Use a YubiKey of the FIPS series, or run the command without --fips.',
  ),
  'management-key-refused': entry(
    'person',
    'The YubiKey did not accept the management key.',
    'Pass the correct one with --management-key-fd, or use another YubiKey. `ykman --device SERIAL piv reset` sets the factory key, and erases all keys and certificates on it.',
  ),
  'yubikey-registered': entry(
    'person',
    'This YubiKey is already registered.',
    'To provision it again, burn it first with `kiwistack-operator yubikey burn`, then use --reinstate.',
  ),
} satisfies Record<string, ErrorEntry>;
