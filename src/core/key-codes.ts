import { entry, type ErrorEntry } from './error-entry.ts';

/** What can go wrong with a YubiKey, its PIN and its touch; part of the table in error-codes.ts. */
export const KEY_CODES = {
  'key-module-missing': entry(
    'machine',
    'The YubiKey library (libykcs11) is not installed.',
    'Install the package ykcs11 (Debian, Ubuntu) or yubico-piv-tool and run the command again.',
  ),
  'key-module-unsafe': entry(
    'machine',
    'The YubiKey library (libykcs11) is where somebody other than root could change it.',
    'The details name the file or folder. If nothing else needs it so (Homebrew on an Intel Mac does), give it to root with ' +
      '`sudo chown -h root:wheel NAME` and `sudo chmod go-w NAME`. Then install Yubico PIV Tool from yubico.com again and run the command again.',
  ),
  'key-service-down': entry(
    'machine',
    'The smart-card service is not running.',
    'Start it with `sudo systemctl start pcscd.socket` and run the command again.',
  ),
  'key-service-hangs': entry(
    'machine',
    'The smart-card service does not answer.',
    'Restart it with `sudo systemctl restart pcscd.service`, unplug the YubiKey, plug it in and run the command again.',
  ),
  'key-absent': entry('person', 'No YubiKey is plugged in.', 'Plug in your YubiKey and run the command again.', {
    operatorHint: 'Plug in the YubiKey and run the command again.',
  }),
  'key-other': entry(
    'person',
    'The YubiKey with this serial number is not plugged in.',
    'The details show which one is. Plug in the right one, or choose another with --serial, and run the command again.',
  ),
  'key-not-enrolled': entry(
    'person',
    'This YubiKey has no KiwiStack certificate.',
    'Use the YubiKey that your operator gave you.',
    { operatorHint: 'Prepare it with `kiwistack-operator yubikey provision`.' },
  ),
  'key-several': entry(
    'person',
    'Several YubiKeys are plugged in.',
    'Unplug all but one, or choose one with --serial.',
  ),
  'key-busy': entry(
    'person',
    'Another program is using the YubiKey.',
    'Close programs that use it (for gpg-agent: `gpgconf --kill scdaemon`) and run the command again.',
  ),
  'key-removed': entry('person', 'The YubiKey was unplugged.', 'Plug it in again and run the command again.'),
  'key-changed': entry(
    'person',
    'The YubiKey was replaced by another one during the enrollment.',
    'Run the command again and keep the same YubiKey plugged in until it ends.',
  ),
  'key-fault': entry(
    'person',
    'The YubiKey gave an unexpected answer.',
    'Unplug it, plug it in and run the command again. If it happens again, tell your operator.',
    { operatorHint: 'Unplug it, plug it in and run the command again. If it happens again, use another YubiKey.' },
  ),
  'key-signature-invalid': entry(
    'refused',
    "The YubiKey's signature does not match its certificate.",
    'Do not use this YubiKey. Tell your operator.',
    { operatorHint: 'Do not hand out this YubiKey. Run the command again with another one.' },
  ),
  'key-certificate-invalid': entry(
    'refused',
    'The certificate on the YubiKey is not valid.',
    'It may have expired. Ask your operator for a new one.',
    { operatorHint: 'Run `kiwistack-operator yubikey provision` again: it makes a new key and a new certificate.' },
  ),
  'pin-wrong': entry(
    'person',
    'The PIN is wrong.',
    'Run the command again with the correct PIN. The details show how many tries are left.',
  ),
  'pin-locked': entry(
    'person',
    'The PIN is locked after too many wrong tries.',
    'Ask your operator to unblock it with the PUK.',
    { operatorHint: 'Unblock it with the PUK: `ykman --device SERIAL piv access unblock-pin`.' },
  ),
  'pin-malformed': entry(
    'person',
    'This cannot be the PIN of a YubiKey.',
    'A PIN has 6 to 8 characters. No try was used. Run the command again with the correct PIN.',
  ),
  'pin-cancelled': entry(
    'person',
    'No PIN was entered.',
    'Run the command again and enter the PIN of your YubiKey, or use --pin-fd.',
    { operatorHint: 'Run the command again in a terminal and enter the PIN of the YubiKey, or use --pin-fd.' },
  ),
  'touch-timeout': entry(
    'person',
    'The YubiKey was not touched in time.',
    'Run the command again and touch the YubiKey when its light blinks.',
  ),
} satisfies Record<string, ErrorEntry>;
