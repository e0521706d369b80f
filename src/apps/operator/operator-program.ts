import { Command } from 'commander';

import { addExamples } from '../../terminal/add-examples.ts';
import { addAlarmCommands } from './alarm-commands.ts';
import { addAuditCommands } from './audit-commands.ts';
import { addApprovalCommands } from './approval-commands.ts';
import { addBatchCommands } from './batch-commands.ts';
import { addBundleCommands } from './bundle-commands.ts';
import { addClaimCommands } from './claim-commands.ts';
import { addDeviceCommands } from './device-commands.ts';
import { addGuardOptions } from './guard-options.ts';
import { addIntermediateCommands } from './intermediate-commands.ts';
import { addOperatorCommands } from './operator-commands.ts';
import { addRecoveryKeyCommands } from './recovery-key-commands.ts';
import { addReportCommands } from './report-commands.ts';
import { addSessionCommands } from './session-commands.ts';
import { addSignInCommands } from './sign-in-commands.ts';
import { addYubikeyCommands } from './yubikey-commands.ts';

/** The command `kiwistack-operator NOUN VERB`. The answer goes to stdout, everything else to stderr. */
export function operatorProgram(): Command {
  const program = new Command('kiwistack-operator').description(
    'Manages the YubiKeys and laptops of a slice: over the network after `sign-in`, or on its machine with --dir.',
  );

  addYubikeyCommands(program);
  addSessionCommands(program);
  addDeviceCommands(program);
  addBatchCommands(program);
  addClaimCommands(program);
  addAuditCommands(program);
  addAlarmCommands(program);
  addBundleCommands(program);
  addRecoveryKeyCommands(program);
  addReportCommands(program);
  addOperatorCommands(program);
  addIntermediateCommands(program);
  addApprovalCommands(program);
  addSignInCommands(program);
  addGuardOptions(program);
  addExamples(program, EXAMPLES);
  return program;
}

const EXAMPLES = [
  'kiwistack-operator sign-in --gateway https://10.77.0.1:9444',
  'kiwistack-operator sign-out',
  'sudo kiwistack-operator operator add anna --dir acme --role admin',
  'kiwistack-operator operator list',
  'sudo kiwistack-operator operator reissue --dir acme',
  'kiwistack-operator operator remove bob --why "left the company" --ask-approval',
  'kiwistack-operator operator two-persons --when always --many-devices 5 --ask-approval',
  'kiwistack-operator intermediate permit --key-digest DIGEST --ask-approval',
  'kiwistack-operator approval list',
  'kiwistack-operator approval show 3f0c1e5a',
  'kiwistack-operator approval approve 3f0c1e5a',
  'kiwistack-operator approval refuse 3f0c1e5a --why "the key was found"',
  'sudo kiwistack-operator yubikey provision --dir acme --role engineer',
  'sudo kiwistack-operator yubikey provision-list --dir acme --list keys.csv --recipient handover.pem --handover sealed',
  'kiwistack-operator yubikey unseal sealed/12345678.sealed --key handover.key --output 12345678.json',
  'sudo kiwistack-operator yubikey list --dir acme',
  'sudo kiwistack-operator yubikey reissue --dir acme',
  'sudo kiwistack-operator yubikey show --dir acme --serial 12345678',
  'sudo kiwistack-operator yubikey replace --dir acme --serial 12345678 --why "left in a train"',
  'sudo kiwistack-operator yubikey burn --dir acme --serial 12345678 --why "left in a train"',
  'sudo kiwistack-operator session list --dir acme',
  'sudo kiwistack-operator device list --dir acme',
  'sudo kiwistack-operator device list --dir acme --state active --role engineer --csv',
  'sudo kiwistack-operator device rename anna-laptop anna --dir acme',
  'sudo kiwistack-operator device show anna-laptop --dir acme',
  'sudo kiwistack-operator device lost anna-laptop --dir acme --wipe --why "left in a train"',
  'sudo kiwistack-operator device wipe anna-laptop --dir acme',
  'sudo kiwistack-operator device lock anna-laptop --dir acme',
  'sudo kiwistack-operator device end anna-laptop --dir acme --why lost',
  'sudo kiwistack-operator device consent anna-laptop --dir acme --why "new disk"',
  'sudo kiwistack-operator device consents --dir acme',
  'sudo kiwistack-operator device withdraw 3f0c1e5a-6a1f-4b0e-9d55-0c7f6f1d2b11 --dir acme',
  'sudo kiwistack-operator device release anna-laptop --dir acme --why "the copy was erased"',
  'sudo kiwistack-operator batch create 2026-11 --dir acme --list laptops.csv --role engineer --output tokens',
  'sudo kiwistack-operator batch list --dir acme',
  'sudo kiwistack-operator batch show 2026-11 --dir acme',
  'sudo kiwistack-operator batch revoke 2026-11 --dir acme --serial 5CG1234XYZ --why "stolen on the way"',
  'sudo kiwistack-operator claim list --dir acme',
  'sudo kiwistack-operator claim approve 482916 --dir acme',
  'sudo kiwistack-operator claim refuse 482916 --dir acme --why "nobody is in front of it"',
  'sudo kiwistack-operator claim reopen 5CG1234XYZ --dir acme --why "new mainboard" --serial 5CG9999ABC',
  'sudo kiwistack-operator customer offboard --dir acme',
  'sudo kiwistack-operator alarm list --dir acme',
  'sudo kiwistack-operator alarm acknowledge 4711 --dir acme --why "new mainboard"',
  'sudo kiwistack-operator bundle list --dir acme',
  'sudo kiwistack-operator bundle save 12 --dir acme --output anna-laptop.json',
  'sudo kiwistack-operator bundle remove 12 --dir acme',
  'sudo kiwistack-operator bundle verify kiwistack-support-2026-11-27T0100Z.json --dir acme --show',
  'kiwistack-operator recovery-key recipient',
  'sudo kiwistack-operator recovery-key list --dir acme',
  'sudo kiwistack-operator recovery-key show anna-laptop --dir acme --why "forgot the PIN, ticket 4711"',
  'kiwistack-operator recovery-key open outcome.json',
  'sudo kiwistack-operator report quarterly --dir acme --quarter 2026-Q4 --format html --output acme-2026-Q4.html',
  'sudo kiwistack-operator audit list --dir acme --limit 20 --json',
  'sudo kiwistack-operator audit export --dir acme --output audit-2026-11.jsonl',
  'sudo kiwistack-operator audit verify --dir acme --export audit-2026-11.jsonl',
  'sudo kiwistack-operator audit accept --dir acme --why "registry restored from the backup of Monday"',
];
