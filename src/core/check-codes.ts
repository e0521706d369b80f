import { entry, type ErrorEntry } from './error-entry.ts';

const FIX = 'Run `kiwistack-enroll doctor --fix`.';

/** What only `doctor` and `status` find; part of the table in error-codes.ts. */
export const CHECK_CODES = {
  'check-late': entry(
    'fault',
    'A check did not end in time.',
    'Something that it asks does not answer. Run `kiwistack-enroll doctor` again; if it stays so, see the details.',
    {
      retryable: true,
      operatorHint:
        'Something that it asks does not answer. Run `kiwistack-slice doctor` again; if it stays so, see the details.',
    },
  ),
  'file-permissions': entry('machine', 'A file of the enrollment has the wrong owner or mode.', FIX),
  'device-key-mismatch': entry(
    'fault',
    'The device key and what was made with it do not belong together.',
    'Run `kiwistack-enroll renew`. If that does not help, run `kiwistack-enroll uninstall`, then `kiwistack-enroll enroll`.',
  ),
  'certificate-untrusted': entry(
    'fault',
    'The device certificate does not lead to a root that this laptop trusts.',
    'Run `kiwistack-enroll renew`. If the package is of another provider than the enrollment, install the right one.',
  ),
  'certificate-keyless': entry(
    'machine',
    "Programs of the system itself cannot use this laptop's certificate.",
    'Run `kiwistack-enroll doctor --fix`, and if it cannot mend that, give the details to your operator. Tunnel and renewal work without it; Wi-Fi that asks for the certificate does not.',
  ),
  'renewal-stalled': entry(
    'fault',
    'The certificate is not renewed as it should be.',
    'Run `kiwistack-enroll renew`, which says what is in the way.',
  ),
  'clock-unsynchronised': entry(
    'machine',
    "This laptop's clock is not kept by a time service.",
    'Turn on network time (`sudo timedatectl set-ntp true`).',
  ),
  'name-unresolved': entry(
    'unreachable',
    'A name has no address.',
    'Check the network connection and its name server. In a guest network, sign in first.',
    { retryable: true },
  ),
  'split-dns-missing': entry('fault', 'Names of the organisation are not resolved through the tunnel alone.', FIX),
  'route-missing': entry(
    'fault',
    'Packets for the organisation do not go through the tunnel.',
    'Another VPN or network takes them: the details name its interface. Close it, or run `kiwistack-enroll doctor --fix`.',
  ),
  'udp-blocked': entry(
    'unreachable',
    'This network lets the tunnel through in no direction.',
    "It blocks UDP to the slice's port. Use another network (a phone's, for example), or ask whoever runs this one to allow it.",
    { retryable: true },
  ),
  'tunnel-altered': entry('fault', 'The tunnel is not as it was granted.', FIX),
  'trust-missing': entry('fault', "Programs on this laptop do not trust the provider's root.", FIX),
  'browser-untrusting': entry(
    'person',
    "A browser on this laptop does not know the provider's root.",
    'It warns of every page inside. Import the root into it, or have its policy install the root (`Certificates` in policies.json, `CACertificates` for Chromium).',
  ),
  'unit-not-running': entry('fault', 'A part of kiwistack-enroll that should be running is not.', FIX),
  'sign-in-taken': entry(
    'machine',
    'Signing in to this laptop is already set up by somebody else.',
    'The details name the settings. Ask whoever made them; without them, or without --sign-in, run the command again.',
  ),
  'sign-in-failed': entry(
    'fault',
    "Signing in with the organisation's account does not work on this laptop.",
    'The details say why. Run `kiwistack-enroll doctor --fix`; if it stays so, ask your operator.',
  ),
  'leftovers-found': entry('fault', 'A run that was interrupted has left something behind.', FIX),
  'deregistration-pending': entry(
    'unreachable',
    'A deregistration has not reached its slice yet.',
    'It is reported automatically; `kiwistack-enroll check` tries at once.',
    { retryable: true },
  ),
  'package-altered': entry(
    'machine',
    'Files of the package kiwistack-enroll are missing or changed.',
    'Install the package again (`sudo apt install --reinstall kiwistack-enroll`).',
  ),
  'proxy-differs': entry(
    'machine',
    'The environment names another proxy than the one through which this laptop was enrolled.',
    'The hourly check uses the one that was kept. If the network has changed for good, name the new one in /etc/default/kiwistack-enroll.',
  ),
  'disk-not-secured': entry(
    'machine',
    'The disk of this laptop is not secured as its organisation wants it.',
    'It is done by itself within an hour if the laptop is online; `sudo kiwistack-enroll secure-disk` does it now, and says what is in the way.',
  ),
  'disk-key-refused': entry(
    'person',
    'This key does not open the disk.',
    'Enter the passphrase with which the disk is opened at start. If nobody was asked, the key that the factory left is another one: tell your operator.',
  ),
} satisfies Record<string, ErrorEntry>;
