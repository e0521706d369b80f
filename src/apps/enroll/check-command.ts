import { KiwiError } from '../../core/errors.ts';
import type { LogFields } from '../../core/log.ts';
import { listed } from '../../laptop/enrollment/find-traces.ts';
import { endedError } from '../../laptop/standing/ended-error.ts';
import type { CheckReply } from '../../local-api/replies.ts';
import { localTime } from '../../terminal/local-time.ts';
import { errorFields, printError, printJson } from '../../terminal/report.ts';
import { askLaptop } from './ask-laptop.ts';
import { farewellLine, humanOutput, jsonOutput } from './enroll-output.ts';
import { logged } from './laptop-context.ts';
import { tunnelFields, tunnelLines } from './tunnel-output.ts';

/** `kiwistack-enroll check`: run every hour by a timer. Exit code 0 when nothing is left to do. */
export async function checkCommand(flags: { readonly json?: boolean }, signal: AbortSignal): Promise<number> {
  const output = flags.json === true ? jsonOutput() : humanOutput();
  const result = await askLaptop({ verb: 'check' }, { signal, output });
  const fault = faultOf(result);
  logged().log?.write(fault === undefined ? 'info' : 'warning', 'checked', logFields(result, fault));
  if (flags.json === true) printJson({ type: 'result', ...resultOf(result, fault) });
  else {
    for (const line of linesOf(result)) process.stdout.write(`${line}\n`);
    if (fault !== undefined) printError(fault);
  }
  return fault?.exitCode ?? 0;
}

/** What the user or the operator should know or do; the most serious comes first. */
function faultOf({ farewells, enrollment, remains }: CheckReply): KiwiError | undefined {
  if (remains !== undefined) return new KiwiError('enrollment-incomplete', { detail: `found: ${listed(remains)}` });
  if (enrollment !== undefined) {
    const { slice, renewal, removed, tunnel } = enrollment;
    if (removed !== undefined && removed.leftBehind.length > 0) {
      return new KiwiError('program-failed', { detail: `could not be undone: ${removed.leftBehind.join(', ')}` });
    }
    // What the slice says of the certificate is more than that it could not be asked for the status.
    if (renewal instanceof KiwiError && slice instanceof KiwiError && !renewal.retryable) return renewal;
    if (slice instanceof KiwiError) return slice;
    if (slice.hardware === 'changed') return new KiwiError('hardware-changed');
    if (slice.state === 'ended' && removed === undefined) return endedError(slice);
    if (renewal instanceof KiwiError) return renewal;
    if (tunnel?.error !== undefined) return tunnel.error;
  }
  return farewells.find(({ error }) => error !== undefined)?.error;
}

/** What the journal says of a check: codes, ids and times, from which a bundle for support may be made. */
function logFields({ enrollment, remains }: CheckReply, fault: KiwiError | undefined): LogFields {
  const renewal = enrollment?.renewal;
  return {
    result: remains === undefined ? nameOf(enrollment) : 'incomplete',
    code: fault?.code,
    request: fault?.requestId,
    ...(renewal === undefined || renewal instanceof KiwiError
      ? { renewal: renewal?.code }
      : { renewal: 'renewed', number: renewal.number, until: renewal.notAfter.toISOString() }),
    tunnel: enrollment?.tunnel?.error?.code,
    mended: enrollment?.tunnel?.mendedBy,
    mtu: enrollment?.tunnel?.mtuLoweredTo ?? enrollment?.tunnel?.mtuRaisedTo,
    followed: enrollment?.tunnel?.followedTo === undefined ? undefined : true,
  };
}

function resultOf({ farewells, enrollment, remains }: CheckReply, fault: KiwiError | undefined): object {
  const told = farewells.map(({ error, ...farewell }) => ({
    ...farewell,
    told: error === undefined,
    ...(error === undefined ? {} : { error: errorFields(error) }),
  }));
  const slice = enrollment === undefined || enrollment.slice instanceof KiwiError ? undefined : enrollment.slice;
  return {
    result: remains === undefined ? nameOf(enrollment) : 'incomplete',
    farewells: told,
    ...(remains === undefined ? {} : { found: remains }),
    ...(enrollment === undefined ? {} : { customer: enrollment.record.customer }),
    ...(slice === undefined ? {} : { slice }),
    ...(enrollment?.renewal === undefined ? {} : { renewal: renewalOf(enrollment.renewal) }),
    ...(enrollment?.tunnel === undefined ? {} : { tunnel: tunnelFields(enrollment.tunnel) }),
    ...(fault === undefined ? {} : { error: errorFields(fault) }),
  };
}

function renewalOf(renewal: NonNullable<NonNullable<CheckReply['enrollment']>['renewal']>): object {
  if (renewal instanceof KiwiError) return { error: errorFields(renewal) };
  return { number: renewal.number, notAfter: renewal.notAfter.toISOString() };
}

/** The result in one word, for programs. */
function nameOf(enrollment: CheckReply['enrollment']): string {
  if (enrollment === undefined) return 'not-enrolled';
  if (enrollment.removed !== undefined) return 'removed';
  return enrollment.slice instanceof KiwiError ? 'not-answered' : enrollment.slice.state;
}

function linesOf({ farewells, enrollment, remains }: CheckReply): string[] {
  const lines = farewells.map((farewell) => farewellLine(farewell));
  if (remains !== undefined) return lines;
  if (enrollment === undefined) return farewells.length > 0 ? lines : ['This laptop is not enrolled; nothing to do.'];
  const { record, slice, renewal, removed, tunnel } = enrollment;
  if (tunnel !== undefined) lines.push(...tunnelLines(tunnel));
  if (removed !== undefined) {
    const left = removed.leftBehind.length > 0 ? '' : ' Its enrollment was removed.';
    return [...lines, `${record.customer} has offboarded this laptop.${left}`];
  }
  if (renewal !== undefined && !(renewal instanceof KiwiError)) {
    lines.push(
      `The certificate was renewed: number ${renewal.number}, valid until ${localTime(renewal.notAfter.toISOString())}.`,
    );
  }
  if (slice instanceof KiwiError) return lines;
  lines.push(`Status at ${record.customer}: ${slice.state}${slice.endReason === null ? '' : ` (${slice.endReason})`}.`);
  if (slice.hardware === 'seen-elsewhere') {
    lines.push('A copy of this enrollment is in use on other hardware. Tell your operator; this laptop keeps working.');
  }
  return lines;
}
