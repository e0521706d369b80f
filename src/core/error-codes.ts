import { entry, type ErrorEntry } from './error-entry.ts';
import { REFUSAL_CODES } from './refusal-codes.ts';

export { EXIT, type ErrorEntry, type ExitKind } from './error-entry.ts';

/**
 * Every expected failure, on either side of the wire, in one table: the closed union of error codes, what each means,
 * what the person can do, and which exit code of the command line it becomes. Codes are stable API: they are in logs, in
 * `--json`, in the gateway's answers and in docs/error-codes.md (made from this table). Nobody matches on message text.
 */
const table = {
  // --- usage and ourselves ------------------------------------------------------------------------------------------
  usage: entry('usage', 'The command was not understood.', 'See --help for the options and examples.'),
  internal: entry(
    'fault',
    'Something went wrong inside KiwiStack.',
    'Try again; if it stays, send the log and the request id to your operator.',
    { http: 500, retryable: true },
  ),
  cancelled: entry('cancelled', 'Cancelled.', 'Nothing was left behind. Run the command again when you are ready.'),

  'fault-variable': entry(
    'usage',
    'A variable of the test builds is set, and this is not one.',
    'Unset the variable that is named above.',
  ),

  // --- the laptop ---------------------------------------------------------------------------------------------------
  'not-root': entry('machine', 'Administrator rights are needed.', 'Run it again with sudo.'),
  'disk-full': entry('machine', 'There is not enough free disk space.', 'Free at least 500 MB and run it again.'),
  'read-only-file-system': entry(
    'machine',
    'The system disk is read-only.',
    'Restart the laptop; if it stays, ask your operator.',
  ),
  'clock-unset': entry(
    'machine',
    'The clock of this laptop is far off.',
    'Set date and time (or switch on network time) and run it again.',
  ),
  'tool-missing': entry(
    'machine',
    'A program that enrollment needs is not installed.',
    'Install the package named above and run it again.',
  ),
  'unsupported-system': entry(
    'machine',
    'This operating system is not supported.',
    'Supported: Linux with systemd, macOS 14 or later, Windows 11.',
  ),
  'fingerprint-too-weak': entry(
    'machine',
    'This machine does not tell enough about itself to be recognised again.',
    'The firmware has no usable serial numbers. Ask your operator; a virtual machine needs an SMBIOS UUID and serial.',
  ),
  'already-running': entry(
    'person',
    'Another enrollment is running on this laptop.',
    'Wait for it to end, or stop it, then run this again.',
  ),
  'already-enrolled': entry('done', 'This laptop is already enrolled.', 'See `kiwistack-enroll status`.'),
  'enrolled-elsewhere': entry(
    'person',
    'This laptop is enrolled with another customer.',
    'Run `kiwistack-enroll uninstall` first, if that is what you want.',
  ),
  'not-enrolled': entry('person', 'This laptop is not enrolled.', 'Run `kiwistack-enroll enroll`.'),
  'hardware-changed': entry(
    'person',
    'This enrollment was made on other hardware.',
    'Tell your operator: a disk was copied, or the mainboard replaced. Nothing was stopped.',
  ),
  'enrollment-unhealthy': entry(
    'fault',
    'A part of the enrollment is not as it should be.',
    'See `kiwistack-enroll status`.',
  ),
  'pinned-roots-missing': entry(
    'machine',
    "The provider's root certificate is not installed.",
    'Install the package of your provider, or name its root with --msp-roots.',
  ),
  'state-damaged': entry(
    'fault',
    'The enrollment state on this laptop cannot be read.',
    'Run `kiwistack-enroll uninstall`, then enroll again.',
  ),
  'program-failed': entry('fault', 'A system program failed.', 'The details name the program and what it said.'),
  'trust-store-failed': entry(
    'fault',
    "The customer's root could not be added to the system trust store.",
    'See the details; then run it again.',
  ),
  'certificate-present': entry(
    'machine',
    'Another certificate of that name is on this laptop.',
    'It was not made by an enrollment. Move the files named above away, and run it again.',
  ),
  'agent-present': entry(
    'machine',
    'Another Fleet agent is installed on this laptop.',
    'It belongs to whoever manages the laptop now. Remove it (dpkg --purge fleet-osquery) if that is over.',
  ),
  'package-hash-mismatch': entry(
    'refused',
    'The Fleet package is not the one that the slice promised.',
    'It was thrown away. Tell your operator: the package or the network between is not what it should be.',
  ),
  'package-install-failed': entry(
    'fault',
    'The Fleet agent could not be installed.',
    'The details show what the package manager said.',
  ),
  'agent-not-running': entry('fault', 'The Fleet agent does not stay running.', 'See `journalctl -u orbit`.'),

  // --- the key ------------------------------------------------------------------------------------------------------
  'key-module-missing': entry(
    'machine',
    'The YubiKey library (libykcs11) is not installed.',
    'Install the package ykcs11 (Debian, Ubuntu) or yubico-piv-tool and run it again.',
  ),
  'key-service-down': entry(
    'machine',
    'The smart-card service is not running.',
    'Start it: sudo systemctl start pcscd.socket',
  ),
  'key-absent': entry('person', 'No YubiKey is plugged in.', 'Plug in your YubiKey and run it again.'),
  'key-not-enrolled': entry(
    'person',
    'This YubiKey has no KiwiStack certificate.',
    'Use the YubiKey that your operator gave you.',
  ),
  'key-several': entry(
    'person',
    'Several KiwiStack YubiKeys are plugged in.',
    'Leave one in, or name it with --serial.',
  ),
  'key-busy': entry(
    'person',
    'Another program holds the YubiKey.',
    'Close programs that use it (gpg-agent: `gpgconf --kill scdaemon`) and run it again.',
  ),
  'key-removed': entry('person', 'The YubiKey was pulled out.', 'Plug it in again and run it again.'),
  'key-changed': entry(
    'person',
    'Another YubiKey was plugged in meanwhile.',
    'Use the same key from start to end, and run it again.',
  ),
  'key-fault': entry(
    'person',
    'The YubiKey gave an answer that makes no sense.',
    'Pull it out, plug it in, run it again; if it stays, tell your operator.',
  ),
  'key-signature-invalid': entry(
    'refused',
    "The YubiKey's signature does not fit its certificate.",
    'Do not use this key; tell your operator.',
  ),
  'key-certificate-invalid': entry(
    'refused',
    'The certificate on the YubiKey is not valid.',
    'It may be out of date. Ask your operator for a new one.',
  ),
  'pin-wrong': entry('person', 'The PIN is wrong.', 'Run it again with the right PIN; the tries left are shown above.'),
  'pin-locked': entry(
    'person',
    'The PIN is locked after too many wrong tries.',
    'Ask your operator to unblock it with the PUK.',
  ),
  'pin-malformed': entry('person', 'A PIN has 6 to 8 characters.', 'No try was used up. Run it again.'),
  'pin-cancelled': entry(
    'person',
    'No PIN was given.',
    'Run it again and enter the PIN of your YubiKey, or use --pin-fd.',
  ),
  'touch-timeout': entry(
    'person',
    'The YubiKey was not touched in time.',
    'Run it again and touch the key when its light blinks.',
  ),

  // --- the way to the slice -----------------------------------------------------------------------------------------
  'gateway-unreachable': entry(
    'unreachable',
    'The gateway of your customer cannot be reached.',
    'Check the network (hotel or office sign-in page?) and run it again.',
    { retryable: true },
  ),
  'gateway-tls': entry(
    'unreachable',
    'The secure connection to the gateway could not be made.',
    'A proxy that opens TLS or a wrong clock can cause this. Try another network.',
    { retryable: true },
  ),
  'gateway-answer-invalid': entry(
    'unreachable',
    "The gateway's answer is not of the expected form.",
    'A proxy or sign-in page may be answering. Try another network.',
  ),
  'slice-not-proven': entry(
    'refused',
    "The other side could not prove that it is your customer's slice.",
    'Do not enter your PIN. Try another network and tell your operator.',
  ),
  'slice-root-unknown': entry(
    'refused',
    "The root of your YubiKey's certificate is not one that this laptop trusts.",
    'Install the package of your own provider, or ask your operator.',
  ),
  'clock-skew': entry(
    'machine',
    'The clock of this laptop and that of the slice differ too much.',
    'Set date and time on the laptop (or tell your operator if it is right) and run it again.',
    { http: 403 },
  ),
  'grant-invalid': entry(
    'refused',
    'The slice granted something else than was asked for.',
    'Nothing was applied. Tell your operator.',
  ),
  'tunnel-tools-failed': entry(
    'fault',
    'The tunnel could not be set up on this laptop.',
    'The details show what wg-quick said.',
  ),
  'tunnel-no-handshake': entry(
    'unreachable',
    'The tunnel gets no answer from the slice.',
    "A firewall may block UDP. Try another network (a phone's hotspot) and run it again.",
    { retryable: true },
  ),
  'fleet-unreachable': entry(
    'unreachable',
    'The Fleet server cannot be reached through the tunnel.',
    'Tell your operator; then run it again.',
    { retryable: true },
  ),
  'fleet-tls': entry(
    'refused',
    'The Fleet server does not prove itself under the promised root.',
    'Tell your operator.',
  ),
  'fleet-refused': entry(
    'refused',
    'The Fleet server does not accept this laptop.',
    'Tell your operator: the enroll secret may have been changed.',
  ),
  'fleet-half-enrolled': entry(
    'refused',
    'Only half of the Fleet agent enrolled (orbit yes, osquery no).',
    'Tell your operator: Fleet would never show this laptop as green.',
  ),
  'fleet-not-green': entry(
    'unreachable',
    'Fleet does not show this laptop as online in time.',
    'Run it again; tell your operator if it stays.',
    { retryable: true },
  ),

  // --- what the slice refuses ---------------------------------------------------------------------------------------
  ...REFUSAL_CODES,

  // --- the operator and the slice's own machine ---------------------------------------------------------------------
  'slice-exists': entry(
    'usage',
    'There is a slice in this folder already.',
    'Use another --dir, or remove the folder if you mean it.',
  ),
  'slice-missing': entry('usage', 'There is no slice in this folder.', 'Make one: kiwistack-slice init --dir DIR'),
  'slice-damaged': entry(
    'fault',
    'A file of the slice is missing, of another form, or can be read by others.',
    "The details name it: restore it from a backup, or give it to the owner of the slice's folder alone (chmod 600).",
  ),
  'slice-running': entry('person', 'The slice runs already.', 'See `kiwistack-slice status --dir DIR`.'),
  'slice-part-failed': entry(
    'fault',
    'A part of the slice did not start.',
    'The details name the part and what it said.',
  ),
  'slice-unsafe': entry(
    'fault',
    "The slice's CA would let others renew or change certificates.",
    'Restore the ca.json that `init` wrote: renewal must be disabled on both provisioners.',
  ),
  'management-key-refused': entry(
    'person',
    "The YubiKey's management key is another one.",
    'Give it with --management-key-fd, or reset the PIV application.',
  ),
  'yubikey-registered': entry(
    'person',
    'This YubiKey is registered already.',
    'Burn it first if it is to be provisioned anew.',
  ),
} satisfies Record<string, ErrorEntry>;

/** The closed union of error codes. */
export type ErrorCode = keyof typeof table;

export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorEntry>> = table;

/** True when `code` is one of ours: for codes that come over the wire. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(table, code);
}
