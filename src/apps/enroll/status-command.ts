import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { ShownEnrollment, ShownOutcome } from '../../local-api/replies.ts';
import { outcomeFields } from './doctor-command.ts';
import { listed } from '../../laptop/enrollment/find-traces.ts';
import { tellWhatWorks } from '../../laptop/standing/tell-what-works.ts';
import { errorFields, printJson } from '../../terminal/report.ts';
import { askLaptop, NEVER } from './ask-laptop.ts';

/** `kiwistack-enroll status`: exit code 0 only when every part works. */
export async function statusCommand(flags: { readonly json?: boolean }): Promise<number> {
  const { enrollment: status, farewells, found } = await askLaptop({ verb: 'status' }, { signal: NEVER });
  if (flags.json !== true) {
    for (const { customer, signedAt, toldAt } of farewells) {
      if (toldAt !== undefined) continue;
      process.stdout.write(
        `Pending deregistration from ${customer}, uninstalled at ${signedAt}. \`kiwistack-enroll check\` reports it now.\n`,
      );
    }
  }
  if (status === undefined) {
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
    const { device, ...rest } = record;
    const { intermediate: _, ...known } = device ?? {};
    const shown = device === undefined ? rest : { ...rest, device: known };
    const checks = status.checks.map(outcomeFields);
    const result = status.healthy ? 'healthy' : 'unhealthy';
    const error = reason === undefined ? {} : { error: errorFields(reason) };
    printJson({
      ...{ type: 'result', result },
      record: shown,
      ...{ ...parts, checks, farewells, ...error },
    });
  } else process.stdout.write(describe(status));
  return status.reason?.exitCode ?? 0;
}

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
}: ShownEnrollment): string {
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
      : [`proxy        ${record.proxy}, where there is no direct way to the gateway`]),
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

function certificateText({ present, valid, number, notAfter, renewal }: ShownEnrollment['certificate']): string {
  if (!present) return 'MISSING';
  const which = number === undefined ? '' : `number ${number}, `;
  const next = renewal === undefined ? '' : `; next renewal ${renewal}`;
  return `${which}${valid ? 'valid until' : 'EXPIRED at'} ${notAfter ?? ''}${next}`;
}

/** Nothing for a check that is well. */
function checkLines({ code, severity, state, error, because = [] }: ShownOutcome): string[] {
  if (state === 'not-looked-at') return [`- ${code}: not looked at, because of ${because.join(', ')}`];
  if (error === undefined) return [];
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  return [
    `${severity === 'failure' ? '✗' : '!'} ${code}: ${error.message}${detail} [${error.code}]`,
    `  ${error.hint}`,
  ];
}

function verdict(checks: readonly ShownOutcome[], healthy: boolean): string {
  if (!healthy) return 'Something does not work: see the words in capitals, and the lines with ✗.';
  return checks.every(({ state }) => state === 'well' || state === 'not-known')
    ? 'Everything works.'
    : 'The enrollment works; see the lines with !.';
}

function hardwareLines(slice: ShownEnrollment['slice']): string[] {
  if ('error' in slice) return [];
  if (slice.hardware === 'changed')
    return ['hardware     DIFFERENT from the hardware that was enrolled: tell your operator'];
  return slice.hardware === 'seen-elsewhere'
    ? ['hardware     unchanged, but a COPY of this enrollment is in use on another laptop: tell your operator']
    : [];
}
