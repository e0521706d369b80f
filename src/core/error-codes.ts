import { AGENT_CODES } from './agent-codes.ts';
import { CHECK_CODES } from './check-codes.ts';
import { CLAIM_CODES } from './claim-codes.ts';
import { entry, type ErrorEntry } from './error-entry.ts';
import { KEY_CODES } from './key-codes.ts';
import { REFUSAL_CODES } from './refusal-codes.ts';
import { OPERATOR_CODES } from './operator-codes.ts';
import { SLICE_CODES } from './slice-codes.ts';
import { TPM_CODES } from './tpm-codes.ts';
import { TUNNEL_APP_CODES } from './tunnel-app-codes.ts';
import { UPDATE_CODES } from './update-codes.ts';

export { EXIT, type ErrorEntry, type ExitKind } from './error-entry.ts';

/**
 * Every expected failure on either side of the wire, in one table: the closed union of error codes, what each means, what the
 * reader can do about it, and which exit code the command ends with. Codes are stable API: they appear in logs, in `--json`,
 * in the gateway's answers and in docs/error-codes.md, which is generated from this table. Nothing matches on message text. A
 * hint says what to do next, to the person who sees the error: the laptop's user, or the operator of a slice. Where both may
 * see it and the advice differs, `operatorHint` is the operator's.
 */
const table = {
  // --- usage and internal errors ------------------------------------------------------------------------------------
  usage: entry('usage', 'The command line is not valid.', 'Run the command with --help to see options and examples.'),
  'file-unusable': entry(
    'usage',
    'A file that was named cannot be used.',
    'The details say which file and why. Correct it, or name another one, and run the command again.',
  ),
  internal: entry(
    'fault',
    'An internal error occurred.',
    'Try again. If it happens again, send the log and the request ID to your operator.',
    {
      http: 500,
      retryable: true,
      operatorHint: 'Try again. If it happens again, report it with the command, the details and the log.',
    },
  ),
  cancelled: entry('cancelled', 'Cancelled.', 'Run the command again when you are ready.'),

  'fault-variable': entry(
    'usage',
    'A variable that only test builds accept is set, and this is not a test build.',
    'Unset the variable named above and run the command again.',
  ),

  // --- the laptop ---------------------------------------------------------------------------------------------------
  'not-root': entry('machine', 'This command needs administrator rights.', 'Run it again with sudo.'),
  'disk-full': entry(
    'machine',
    'There is not enough free disk space.',
    'Free at least 500 MB and run the command again.',
  ),
  'access-denied': entry(
    'machine',
    'The system denied access to a file or folder.',
    'The details name it. Run the command with sudo. If it is denied to root too, the file or its disk is write-protected.',
    { operatorHint: 'The details name it. Run the command with sudo, or choose a folder that can be written to.' },
  ),
  ...TPM_CODES,
  ...CLAIM_CODES,
  'output-failed': entry(
    'machine',
    'The output could not be written.',
    'Make room where it is written to, or choose another place, and run the command again.',
  ),
  'read-only-file-system': entry(
    'machine',
    'The system disk is read-only.',
    'Restart the laptop. If the disk is still read-only, ask your operator.',
    { operatorHint: 'Choose a folder on a disk that can be written to, or mount the disk for writing.' },
  ),
  'clock-unset': entry(
    'machine',
    "This laptop's clock is far off.",
    'Set the date and time, or turn on network time, and run the command again.',
  ),
  'tool-missing': entry(
    'machine',
    'A program that is needed is not installed.',
    'Install what the details name and run the command again.',
  ),
  'unsupported-system': entry(
    'machine',
    'This operating system is not supported.',
    'Supported: Linux with systemd, macOS 14 or later, Windows 11.',
  ),
  'fingerprint-too-weak': entry(
    'machine',
    'This machine has too few hardware identifiers to be recognised again.',
    'Its firmware has no usable serial numbers. Ask your operator; a virtual machine needs an SMBIOS UUID and serial number.',
  ),
  'already-running': entry(
    'person',
    'Another kiwistack-enroll is running on this laptop.',
    'Wait until it has finished, or stop it, and run the command again.',
  ),
  'already-enrolled': entry('done', 'This laptop is already enrolled.', 'See `kiwistack-enroll status`.'),
  'enrolled-elsewhere': entry(
    'person',
    'This laptop is enrolled with another customer.',
    'To leave that customer, run `kiwistack-enroll uninstall` first.',
  ),
  'other-plan-begun': entry(
    'person',
    'Something else was started on this laptop and is not finished.',
    'The details name it. Finish it with the program that started it, in that version or a newer one.',
  ),
  'not-enrolled': entry('person', 'This laptop is not enrolled.', 'To enroll it, run `kiwistack-enroll enroll`.'),
  'enrollment-incomplete': entry(
    'person',
    'Only part of an enrollment is on this laptop.',
    'Run `kiwistack-enroll uninstall` to remove it. Then you can enroll again.',
  ),
  'device-certificate-expired': entry(
    'person',
    "This laptop's device certificate has expired.",
    'Run `kiwistack-enroll renew`. If the slice refuses it, run `kiwistack-enroll enroll` with your YubiKey to enroll again.',
  ),
  'hardware-changed': entry(
    'person',
    'This enrollment was made on different hardware.',
    'Tell your operator. Either the disk was copied or the mainboard was replaced. Nothing was changed on this laptop.',
  ),
  'enrollment-unhealthy': entry(
    'fault',
    'Part of the enrollment is not working.',
    'Run `kiwistack-enroll status` to see which part.',
  ),
  'pinned-roots-missing': entry(
    'machine',
    "Your provider's root certificate is not installed.",
    'Install the package from your provider, or name the file that holds its root with --msp-roots.',
  ),
  'state-damaged': entry(
    'fault',
    'The enrollment state on this laptop cannot be read.',
    'Run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.',
    { operatorHint: 'The details name the file. Restore it from a backup, or correct its owner and mode.' },
  ),
  'program-failed': entry(
    'fault',
    'A system program failed.',
    'The details name the program and what it reported. Run the command again; if it fails again, tell your operator.',
    { operatorHint: 'The details name the program and what it reported. Correct that, and run the command again.' },
  ),
  'trust-store-failed': entry(
    'fault',
    'The system trust store could not be changed.',
    'The details name what stands in the way. Put it right and run the command again.',
  ),
  'certificate-present': entry(
    'machine',
    'A certificate or key with this name is already on this laptop.',
    'No enrollment created it. Move the file named above to another place and run the command again.',
  ),
  'agent-present': entry(
    'machine',
    'Another Fleet agent, or what one left, is already on this laptop.',
    'It belongs to whoever manages this laptop now. If that has ended, remove it (dpkg --purge fleet-osquery) and run the command again.',
  ),
  'package-hash-mismatch': entry(
    'refused',
    'The downloaded Fleet package does not match the checksum in the grant.',
    'It was deleted. Tell your operator: the package, or the connection to the slice, may have been tampered with.',
  ),
  'package-manager-busy': entry(
    'person',
    'Another program is using the package manager.',
    'The details name it. Wait until it has finished and run the command again.',
  ),
  'package-install-failed': entry(
    'fault',
    'The Fleet agent could not be installed.',
    'The details show what the package manager reported.',
  ),
  'agent-not-running': entry(
    'fault',
    'The Fleet agent does not keep running.',
    'Run `journalctl -u orbit` to see why it stops.',
  ),

  // --- the agent on the laptop, and those who ask it ---------------------------------------------------------------
  ...AGENT_CODES,

  // --- new versions on the laptop ------------------------------------------------------------------------------------
  ...UPDATE_CODES,

  // --- what doctor finds ---------------------------------------------------------------------------------------------
  ...CHECK_CODES,

  // --- the key ------------------------------------------------------------------------------------------------------
  ...KEY_CODES,

  // --- the way to the slice -----------------------------------------------------------------------------------------
  'gateway-unreachable': entry(
    'unreachable',
    "Your organisation's gateway cannot be reached.",
    'Check your network connection (does a hotel or guest network want you to sign in?) and run the command again.',
    { retryable: true },
  ),
  'gateway-tls': entry(
    'unreachable',
    'No secure connection to the gateway could be established.',
    'A proxy that intercepts TLS can cause this. Try another network.',
    { retryable: true },
  ),
  'proxy-invalid': entry(
    'machine',
    'A variable that should name a proxy does not.',
    'Set the variable named above to http://HOST:PORT, or unset it, and run the command again.',
  ),
  'proxy-unreachable': entry(
    'unreachable',
    'The proxy cannot be reached.',
    'Check its address. In another network, unset HTTPS_PROXY, or set it to the proxy of that network (for the timer, in /etc/default/kiwistack-enroll).',
    { retryable: true },
  ),
  'proxy-authentication': entry(
    'unreachable',
    'The proxy wants a user name and a password, or does not accept the ones given.',
    'Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT, with special characters as %XX (for the timer, in /etc/default/kiwistack-enroll).',
  ),
  'proxy-refused': entry(
    'unreachable',
    "The proxy refuses connections to your organisation's gateway.",
    'Ask whoever runs the proxy to allow the gateway, or try another network.',
  ),
  'gateway-tls-dates': entry(
    'machine',
    "By this laptop's clock, the gateway's certificate is not valid yet or has expired.",
    'Check the date and time that the details show: if they are wrong, set them or turn on network time, and run the command again. If they are right, tell your operator that the certificate of the gateway has expired.',
  ),
  'gateway-answer-invalid': entry(
    'unreachable',
    "The gateway's answer is malformed.",
    'A proxy or a sign-in page may have answered instead. Try another network.',
  ),
  'slice-refused': entry(
    'refused',
    'The slice refused for a reason that this version does not know.',
    'Update kiwistack-enroll. If it is up to date, tell your operator the code in the details.',
  ),
  'slice-not-proven': entry(
    'refused',
    "The server could not prove that it is your organisation's slice.",
    'Do not enter your PIN. Try another network, and tell your operator.',
    {
      operatorHint:
        'Do not enter the PIN. Compare the address with that of the slice, and find out what answers there.',
    },
  ),
  'slice-unconfined': entry(
    'refused',
    "Your organisation's certificate authority may speak for every website, so this laptop does not trust it.",
    'Tell your operator: the slice needs a new intermediate, see `kiwistack-slice intermediate request --help`.',
  ),
  'slice-revoked': entry(
    'refused',
    'The answer comes from a certificate authority of your organisation that the provider has revoked.',
    'Nothing on this laptop was changed. Tell your operator: somebody may be using stolen keys, or the slice still has the old ones.',
  ),
  'key-certificate-replaced': entry(
    'refused',
    'The certificate on this YubiKey is from before your organisation got new keys.',
    'Ask your operator to renew it: `kiwistack-operator yubikey reissue`. Its key and PIN stay.',
    {
      operatorHint:
        "Renew it on the slice's machine: `kiwistack-operator operator reissue`, or `yubikey reissue` for a key that enrolls laptops. Key and PIN stay.",
    },
  ),
  'slice-root-unknown': entry(
    'refused',
    "This laptop does not trust the root of your YubiKey's certificate.",
    'Install the package from your own provider, or ask your operator.',
    { operatorHint: "Give the roots of the slice's own provider with --msp-roots." },
  ),
  'clock-skew': entry(
    'machine',
    'The clocks of this laptop and of the slice differ too much.',
    "Set this laptop's date and time and run the command again. If they are already correct, tell your operator.",
    { http: 403, operatorHint: 'Set the clock of this machine, or of the slice, and run the command again.' },
  ),
  'grant-invalid': entry(
    'refused',
    "The slice's grant does not match the request.",
    'Nothing in it was applied. Tell your operator.',
  ),
  'renewal-invalid': entry(
    'refused',
    "The slice's new certificate does not match the request.",
    'The certificate on this laptop was not changed. Tell your operator.',
  ),
  'network-overlap': entry(
    'machine',
    "A network of this laptop overlaps with the customer's network.",
    "Use another network, such as your phone's hotspot, or give the one named above other addresses. Your operator can tell which are free.",
  ),
  'tunnel-name-taken': entry(
    'machine',
    "Another program has a tunnel with the name of the customer's.",
    'The details name its profile or interface. Rename or remove it, then run the same command again; kiwistack-enroll leaves it as it is.',
  ),
  'tunnel-tools-failed': entry(
    'fault',
    'The tunnel could not be set up on this laptop.',
    'The details show what failed.',
  ),
  'tunnel-no-handshake': entry(
    'unreachable',
    'The slice does not answer through the tunnel.',
    "A firewall may be blocking UDP. Try another network, such as your phone's hotspot, and run the command again.",
    { retryable: true },
  ),
  ...TUNNEL_APP_CODES,
  'no-network': entry(
    'unreachable',
    'This laptop has no network: nothing leads to the slice.',
    'Connect it to a network. The tunnel comes back by itself.',
    { retryable: true },
  ),
  'endpoint-unresolved': entry(
    'unreachable',
    "This network does not resolve the name of the slice's tunnel.",
    'If this network wants you to sign in, do that first. If other names do not resolve either, its name server is broken: use another network. The tunnel comes back by itself.',
    { retryable: true },
  ),
  'udp-blocked': entry(
    'unreachable',
    'This network blocks the tunnel: the gateway answers by HTTPS, but no UDP port of the slice does.',
    "Use another network, such as your phone's hotspot, or ask whoever runs this one to allow outgoing UDP to the addresses and ports in the details. Until then nothing inside the tunnel can be reached; the certificate is still renewed, and everything outside the tunnel works.",
    { retryable: true },
  ),
  'slice-silent': entry(
    'unreachable',
    'Neither the gateway of the slice nor its tunnel answers.',
    'If this network wants you to sign in, do that first. If other websites work, the slice is out of order or this network blocks it: try another network, or wait. The tunnel comes back by itself.',
    { retryable: true },
  ),
  'tunnel-packet-size': entry(
    'unreachable',
    'This network carries only small packets: larger ones get lost in the tunnel.',
    'Run `sudo kiwistack-enroll check`, which adapts the tunnel. If that does not help, use another network.',
    { retryable: true },
  ),
  'tunnel-endpoint-moved': entry(
    'unreachable',
    'The slice does not answer through the tunnel, and its name now leads to another address.',
    'Run `sudo kiwistack-enroll check`, which lets the tunnel follow. A timer does so every hour.',
    { retryable: true },
  ),
  'fleet-unreachable': entry(
    'unreachable',
    'The Fleet server cannot be reached through the tunnel.',
    'Tell your operator. Run the command again when it is reachable.',
    { retryable: true },
  ),
  'fleet-tls': entry(
    'refused',
    "The Fleet server's certificate could not be verified with the CA that the slice named.",
    'Tell your operator.',
  ),
  'fleet-refused': entry(
    'refused',
    'The Fleet server rejected this laptop.',
    'Tell your operator: the enroll secret may have been changed.',
    { operatorHint: "Check Fleet and the rights of the slice's API token; the details say what Fleet answered." },
  ),
  'fleet-half-enrolled': entry(
    'refused',
    'Only one half of the Fleet agent enrolled: orbit did, osquery did not.',
    'Tell your operator: Fleet would never report this laptop as online.',
  ),
  'fleet-not-green': entry(
    'unreachable',
    'Fleet did not report this laptop as online in time.',
    'Run the command again. If it happens again, tell your operator.',
    { retryable: true },
  ),

  // --- refusals by the slice ----------------------------------------------------------------------------------------
  ...REFUSAL_CODES,

  // --- the operator and the slice's own machine ---------------------------------------------------------------------
  ...SLICE_CODES,
  ...OPERATOR_CODES,
} satisfies Record<string, ErrorEntry>;

/** The closed union of error codes. */
export type ErrorCode = keyof typeof table;

export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorEntry>> = table;

/** True when `code` is in the table: for codes that arrive over the wire. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(table, code);
}
