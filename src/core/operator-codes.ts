import { entry, type ErrorEntry } from './error-entry.ts';

/** What operators meet on their own machines and at the slice's API for them; part of the table in error-codes.ts. */
export const OPERATOR_CODES = {
  'operator-unknown': entry(
    'refused',
    'This YubiKey belongs to no operator of this slice.',
    'Have an admin add you with `kiwistack-operator operator add`, or plug in the YubiKey that you operate with.',
    { http: 403 },
  ),
  'operators-not-permitted': entry(
    'person',
    "The slice's intermediate is from before operators had certificates, and permits none.",
    'Renew it: `kiwistack-slice intermediate request`, have the provider sign the request, then `intermediate install`.',
    { http: 409 },
  ),
  'operator-exists': entry(
    'usage',
    'There is an operator with this name, or with this YubiKey, already.',
    'See `kiwistack-operator operator list`; remove the other one first, or choose another name.',
    { http: 409 },
  ),
  'operator-role': entry(
    'refused',
    'Your role does not allow this.',
    'The details name the role that does. Ask an operator who has it.',
    { http: 403 },
  ),
  'sign-in-needed': entry(
    'person',
    'You are not signed in to this slice, or no longer.',
    "Run `kiwistack-operator sign-in --gateway URL`. On the slice's own machine, name its folder with `--dir` instead.",
    { http: 401 },
  ),
  'sign-in-refused': entry(
    'refused',
    'The slice does not accept this sign-in.',
    'The details say why. Run `kiwistack-operator sign-in` again.',
    { http: 403 },
  ),
  'request-replayed': entry(
    'refused',
    'The slice has received this request before, and does nothing again.',
    'Run the command again. If you did not send it twice, somebody may have copied it.',
    { http: 409 },
  ),
  'second-operator-needed': entry(
    'person',
    'This needs the signatures of two operators.',
    'Run the same command with --ask-approval: you sign it, and another admin approves it with `kiwistack-operator approval approve`.',
    { http: 409 },
  ),
  'second-admin-missing': entry(
    'person',
    'With fewer than two admins, nobody could do any more what always needs two operators.',
    'Add another admin first: `kiwistack-operator operator add NAME --role admin`. Or have two needed only while there are two: `kiwistack-operator operator two-persons --when two-admins`.',
    { http: 409 },
  ),
  'approval-unknown': entry(
    'usage',
    'There is no such open request for an approval.',
    'See `kiwistack-operator approval list`.',
    { http: 404 },
  ),
  'approval-refused': entry(
    'refused',
    'This signature does not approve the statement.',
    'The details say why. Nothing was carried out.',
    { http: 403 },
  ),
  'token-exists': entry(
    'usage',
    'There is a batch of this name, or a laptop of the list has a token that can still be used.',
    'See `kiwistack-operator batch list`. Choose another name, or revoke the token first: `kiwistack-operator batch revoke`.',
    { http: 409 },
  ),
  'token-unknown': entry(
    'usage',
    'There is no such batch or token.',
    'See `kiwistack-operator batch list` and `batch show`.',
    { http: 404 },
  ),
  'claim-unknown': entry(
    'usage',
    'No laptop waits with this code.',
    'See `kiwistack-operator claim list`. Each of them shows its code on its screen.',
    { http: 404 },
  ),
  'claim-twice': entry(
    'refused',
    'Another laptop was let in with the same token.',
    'One of them has a copy of the disk. Find out which, and refuse the other: `kiwistack-operator claim refuse`.',
    { http: 409 },
  ),
  rehearsed: entry(
    'done',
    'Nothing was changed: this is what would have been asked of the slice.',
    'Run the command without --dry-run to do it.',
  ),
  'approval-asked': entry(
    'done',
    'Signed: another admin has to approve it now, and nothing was done yet.',
    'See `kiwistack-operator approval list`.',
  ),
  'slice-unreachable': entry(
    'unreachable',
    'The slice does not answer.',
    'Check that you are in its network (the tunnel, or Headscale), and that the slice is up.',
    { retryable: true },
  ),
  'slice-answer-invalid': entry(
    'unreachable',
    'The answer is not one of the slice.',
    'The details say why. Nothing may be concluded from it.',
  ),
  'keychain-unavailable': entry(
    'machine',
    'The keychain of this machine cannot be used.',
    'Unlock it, or start a secret service (gnome-keyring, KWallet); to keep the sign-in in a file instead, use --store file.',
  ),
  'recovery-key-unknown': entry(
    'usage',
    'The slice has no such recovery key.',
    'See `kiwistack-operator recovery-key list`. A laptop sends one within an hour of its enrollment, if the slice has recipients for it.',
    { http: 404 },
  ),
  'escrow-key-refused': entry(
    'refused',
    'The recovery key cannot be read with this YubiKey.',
    'Plug in the YubiKey with one of the keys that `kiwistack-operator recovery-key list --json` names as recipients.',
  ),
} satisfies Record<string, ErrorEntry>;
