import type { Command } from 'commander';

import { KiwiError } from '../../core/errors.ts';
import { readStatement, signPayload, type OperatorKey } from '../../operator-client/sign-statement.ts';
import type { ApprovalRecord } from '../../protocol/operator-records.ts';
import type { OperatorSlice } from '../../protocol/operator-verbs.ts';
import { cancelOnSignals } from '../../terminal/cancel-on-signals.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import { askConfirmation } from './ask-confirmation.ts';
import { listing, onSlice, time, withSlice, type Flags } from './on-slice.ts';
import { signedInAs, withOperatorKey } from './operator-yubikey.ts';
import { Id } from './table.ts';

/** `approval`: what one operator has signed, and another one has to. */
export function addApprovalCommands(program: Command): void {
  const approval = program.command('approval').description('Approve what needs the signatures of two operators');
  onSlice(approval.command('list'))
    .description('List what was asked for, newest first')
    .action((flags: Flags) =>
      listing(flags, async (slice) =>
        (await slice.ask('approval.list')).map((one) => ({
          ...{ id: new Id(one.id), verb: one.verb, state: one.state, by: one.askedBy },
          ...{ asked: time(one.createdAt), expires: time(one.expiresAt), decided: one.decidedBy ?? '' },
        })),
      ),
    );
  onSlice(approval.command('show <approval>'))
    .description('Show what would be done, as it was signed')
    .action((id: string, flags: Flags) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const found = await slice.ask('approval.find', { approval: id });
          const { statement } = readStatement(found.statement);
          printAnswer(flags, 'approval', { ...found, statement }, await linesOf(slice, found));
          return 0;
        }),
      ),
    );
  onSlice(approval.command('approve <approval>'))
    .description('Sign the same statement with your YubiKey: the slice then does it')
    .option('--yes', 'do not ask for confirmation')
    .action((id: string, flags: Flags & { yes?: boolean }) =>
      carryOut(flags.json === true, () => withSlice(flags, (slice) => approve(slice, id, flags))),
    );
  onSlice(approval.command('refuse <approval>'))
    .description('Refuse it, or take back what you have asked for')
    .option('--why <text>', 'reason, for the audit', 'refused')
    .action((id: string, flags: Flags & { why: string }) =>
      carryOut(flags.json === true, () =>
        withSlice(flags, async (slice) => {
          const found = await slice.ask('approval.find', { approval: id });
          await slice.ask('approval.refuse', { approval: found.id, why: flags.why });
          printAnswer(flags, 'refused', { id: found.id }, [`Refused: ${found.verb}, asked by ${found.askedBy}.`]);
          return 0;
        }),
      ),
    );
}

async function approve(slice: OperatorSlice, id: string, flags: Flags & { readonly yes?: boolean }): Promise<number> {
  const found = await slice.ask('approval.find', { approval: id });
  const { statement, payload } = readStatement(found.statement);
  // What is signed is what is shown, whatever the slice's list says of it.
  if (statement.id !== found.id) throw new KiwiError('slice-answer-invalid', { detail: 'the statement of another id' });
  const self = await signedInAs(slice);
  // The slice would refuse it after PIN and touch.
  if (self.name === found.askedBy) {
    throw new KiwiError('approval-refused', { detail: `${found.askedBy} has asked for it: another operator approves` });
  }
  await askConfirmation((await linesOf(slice, found)).join('\n'), statement.verb, flags);
  if (flags.dryRun === true) throw new KiwiError('rehearsed', { detail: statement.verb });
  const sign = (key: OperatorKey) => signPayload(payload, key);
  const signature = await withOperatorKey(flags, cancelOnSignals(), sign, self);
  const { verb, result } = await slice.ask('approval.approve', { approval: found.id, signature });
  printAnswer(flags, 'approved', { id: found.id, verb, outcome: result }, [
    `Done: ${verb}, asked by ${found.askedBy}.`,
  ]);
  return 0;
}

/** The statement for a person, with the names of the laptops in it. */
async function linesOf(slice: OperatorSlice, { statement: jws, state }: ApprovalRecord): Promise<string[]> {
  const { statement } = readStatement(jws);
  const given = Object.entries(statement.arguments as Record<string, unknown>);
  const lists = given.some(([, value]) => Array.isArray(value));
  const names = new Map(lists ? (await slice.ask('device.list')).map(({ id, hostName }) => [id, hostName]) : []);
  const text = (value: unknown): string =>
    Array.isArray(value)
      ? `${value.length}: ${value.map((one) => names.get(String(one)) ?? String(one)).join(', ')}`
      : String(value);
  return [
    `${statement.operator} asks for ${statement.verb} (${state}, until ${statement.expiresAt}):`,
    ...given.map(([name, value]) => `  ${name}: ${text(value)}`),
  ];
}
