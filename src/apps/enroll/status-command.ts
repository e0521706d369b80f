import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import { enrollmentStatus, type EnrollmentStatus } from '../../laptop/enrollment/enrollment-status.ts';
import type { CheckOutcome } from '../../laptop/checks/check.ts';
import { outcomeFields } from './doctor-command.ts';
import { findTraces, listed } from '../../laptop/enrollment/find-traces.ts';
import { tellWhatWorks } from '../../laptop/standing/tell-what-works.ts';
import { FarewellFile } from '../../laptop/state/farewell.ts';
import { errorFields, printJson } from '../../terminal/report.ts';
import { laptopContext } from './laptop-context.ts';

/** `kiwistack-enroll status`: exit code 0 only when every part works. */
export async function statusCommand(flags: { readonly json?: boolean }): Promise<number> {
  // Never aborted: the command changes nothing, so a signal may simply end the program.
  const context = await laptopContext(new AbortController().signal);
  const status = await enrollmentStatus(context);
  const waiting = await new FarewellFile(context.platform.stateFolder).load();
  const farewells = waiting.map(({ customer, deviceId, signedAt, toldAt }) => ({
    ...{ customer, deviceId, signedAt },
    ...(toldAt === undefined ? {} : { toldAt }),
  }));
  if (flags.json !== true) {
    for (const { customer, signedAt, toldAt } of farewells) {
      if (toldAt !== undefined) continue;
      process.stdout.write(
        `Pending deregistration from ${customer}, uninstalled at ${signedAt}. \`kiwistack-enroll check\` reports it now.\n`,
      );
    }
  }
  if (status === undefined) {
    const { ours: found } = await findTraces(context.platform);
    const half = found.length > 0;
    const error = half
      ? new KiwiError('enrollment-incomplete', { detail: `found: ${listed(found)}` })
      : new KiwiError('not-enrolled');
    if (flags.json !== true) throw error;
    printJson({ type: 'result', result: half ? 'incomplete' : 'not-enrolled', farewells, ...(half ? { found } : {}) });
    return error.exitCode;
  }
  if (flags.json === true) {
    const { record, reason, ...parts } = status;
    const { exchange: _, proxy, device, ...rest } = record;
    const { intermediate: __, ...known } = device ?? {};
    const shown = device === undefined ? rest : { ...rest, device: known };
    const checks = status.checks.map(outcomeFields);
    const result = status.healthy ? 'healthy' : 'unhealthy';
    const error = reason === undefined ? {} : { error: errorFields(reason) };
    printJson({
      ...{ type: 'result', result },
      record: { ...shown, ...(proxy === undefined ? {} : { proxy: withoutPassword(proxy) }) },
      ...{ ...parts, checks, farewells, ...error },
    });
  } else process.stdout.write(describe(status));
  return status.reason?.exitCode ?? 0;
}

const withoutPassword = (proxy: string): string => (URL.canParse(proxy) ? new URL(proxy).origin : 'unreadable');

function describe({
  record,
  halfRemoved,
  certificate,
  tunnel,
  agent,
  slice,
  checks,
  works,
  healthy,
}: EnrollmentStatus): string {
  const state = halfRemoved
    ? 'HALF REMOVED; run `kiwistack-enroll uninstall` to remove the rest'
    : record.state === 'active'
      ? 'enrolled'
      : 'INTERRUPTED; run `kiwistack-enroll enroll` to resume the enrollment';
  const sliceText =
    'error' in slice
      ? `NOT known (${slice.error})`
      : `${slice.state}${slice.endReason === null ? '' : ` (${slice.endReason})`}; Fleet: ${slice.fleet === null ? 'NOT known' : slice.fleet.green ? 'online' : 'NOT online'}`;
  return [
    `laptop       ${record.device?.hostName ?? '-'}: ${state}`,
    `customer     ${record.customer} (${record.role}), ${record.gatewayUrl}`,
    ...(record.proxy === undefined
      ? []
      : [`proxy        ${withoutPassword(record.proxy)}, where there is no direct way to the gateway`]),
    `certificate  ${certificateText(certificate)}`,
    `tunnel       ${tunnel.up ? 'up' : 'DOWN'}, ${tunnel.inside ? 'slice reachable' : 'slice NOT reachable'}, ${tunnel.startsAtBoot ? 'starts at boot' : 'does NOT start at boot'}`,
    `fleet agent  ${agent.version ?? 'NOT installed'}, ${agent.running ? 'running' : 'NOT running'}, ${agent.orbitEnrolled ? 'enrolled' : 'NOT enrolled'}`,
    `slice        ${sliceText}`,
    ...hardwareLines(slice),
    ...tellWhatWorks(works, systemClock.now()),
    ...checks.flatMap((outcome) => checkLines(outcome)),
    verdict(checks, healthy),
    '',
  ].join('\n');
}

function certificateText({ present, valid, number, notAfter, renewal }: EnrollmentStatus['certificate']): string {
  if (!present) return 'MISSING';
  const which = number === undefined ? '' : `number ${number}, `;
  const next = renewal === undefined ? '' : `; next renewal ${renewal}`;
  return `${which}${valid ? 'valid until' : 'EXPIRED at'} ${notAfter ?? ''}${next}`;
}

/** Nothing for a check that is well. */
function checkLines({ code, severity, state, error, because = [] }: CheckOutcome): string[] {
  if (state === 'not-looked-at') return [`- ${code}: not looked at, because of ${because.join(', ')}`];
  if (error === undefined) return [];
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  return [
    `${severity === 'failure' ? '✗' : '!'} ${code}: ${error.message}${detail} [${error.code}]`,
    `  ${error.hint}`,
  ];
}

function verdict(checks: readonly CheckOutcome[], healthy: boolean): string {
  if (!healthy) return 'Something does not work: see the words in capitals, and the lines with ✗.';
  return checks.every(({ state }) => state === 'well' || state === 'not-known')
    ? 'Everything works.'
    : 'The enrollment works; see the lines with !.';
}

function hardwareLines(slice: EnrollmentStatus['slice']): string[] {
  if ('error' in slice) return [];
  if (slice.hardware === 'changed')
    return ['hardware     DIFFERENT from the hardware that was enrolled: tell your operator'];
  return slice.hardware === 'seen-elsewhere'
    ? ['hardware     unchanged, but a COPY of this enrollment is in use on another laptop: tell your operator']
    : [];
}
