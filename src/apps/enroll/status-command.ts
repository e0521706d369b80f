import { systemClock } from '../../core/clock.ts';
import { KiwiError } from '../../core/errors.ts';
import type { Event } from '../../local-api/messages.ts';
import type { ShownEnrollment, ShownOutcome, StatusReply } from '../../local-api/replies.ts';
import { outcomeFields } from './doctor-command.ts';
import { listed } from '../../laptop/enrollment/find-traces.ts';
import { tellWhatWorks } from '../../laptop/standing/tell-what-works.ts';
import { localTime } from '../../terminal/local-time.ts';
import { errorFields, jsonLine } from '../../terminal/report.ts';
import { askLaptop, NEVER } from './ask-laptop.ts';
import { statusScreen, type StatusView } from './watch-status.ts';

export interface StatusFlags {
  readonly json?: boolean;
  readonly watch?: boolean;
}

/** `kiwistack-enroll status`: exit code 0 only when every part works. */
export async function statusCommand(flags: StatusFlags, signal: AbortSignal): Promise<number> {
  const json = flags.json === true;
  if (flags.watch === true) {
    const draw = statusScreen(!json && process.stdout.isTTY);
    const onEvent = (event: Event): void => {
      if (event.type === 'looked') draw(viewOf(event.status, flags));
    };
    return viewOf(await askLaptop({ verb: 'status', watch: true }, { signal, onEvent }), flags).exitCode;
  }
  const { text, exitCode, error } = viewOf(await askLaptop({ verb: 'status' }, { signal: NEVER }), flags);
  process.stdout.write(text);
  if (error !== undefined && !json) throw error;
  return exitCode;
}

/** `error`: there is no enrollment, and who does not watch is told so. */
function viewOf(
  { enrollment: status, farewells, found }: StatusReply,
  flags: StatusFlags,
): StatusView & { readonly error?: KiwiError } {
  const pending = farewells
    .filter(({ toldAt }) => toldAt === undefined)
    .map(
      ({ customer, signedAt }) =>
        `Pending deregistration from ${customer}, uninstalled at ${localTime(signedAt)}. \`kiwistack-enroll check\` reports it now.\n`,
    )
    .join('');
  if (status === undefined) {
    const half = found.length > 0;
    const error = half
      ? new KiwiError('enrollment-incomplete', { detail: `found: ${listed(found)}` })
      : new KiwiError('not-enrolled');
    const result = half ? 'incomplete' : 'not-enrolled';
    const key = `${result} ${farewells.length}`;
    const event = { type: 'result', result, farewells, ...(half ? { found } : {}) };
    const stays = flags.watch === true ? `${error.message}\n` : '';
    const text = flags.json === true ? jsonLine(event) : pending + stays;
    return { text, exitCode: error.exitCode, key, error };
  }
  const { record, reason, ...parts } = status;
  const exitCode = reason?.exitCode ?? 0;
  const key = JSON.stringify([farewells.length, reason?.code, status.checks.map(({ code, state }) => [code, state])]);
  if (flags.json !== true) return { text: pending + describe(status), exitCode, key };
  const { device, ...rest } = record;
  const { intermediate: _, ...known } = device ?? {};
  const shown = device === undefined ? rest : { ...rest, device: known };
  const checks = status.checks.map(outcomeFields);
  const result = status.healthy ? 'healthy' : 'unhealthy';
  const error = reason === undefined ? {} : { error: errorFields(reason) };
  const text = jsonLine({ ...{ type: 'result', result }, record: shown, ...{ ...parts, checks, farewells, ...error } });
  return { text, exitCode, key };
}

function describe({
  record,
  halfRemoved,
  certificate,
  tunnel,
  agent,
  slice,
  sliceAskedAt,
  checks,
  works,
  healthy,
  reason,
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
    ...(reason === undefined
      ? []
      : [`reason       ${reason.message}${reason.detail === undefined ? '' : ` (${reason.detail})`} [${reason.code}]`]),
    `customer     ${record.customer} (${record.role}), ${record.gatewayUrl}`,
    ...(record.proxy === undefined
      ? []
      : [`proxy        ${record.proxy}, where there is no direct way to the gateway`]),
    `slice        ${sliceText}${sliceAskedAt === undefined ? '' : `; asked at ${localTime(sliceAskedAt)}`}`,
    ...hardwareLines(slice),
    ...(record.device?.keyKind === 'tpm' ? ['device key   in the TPM of this laptop'] : []),
    `certificate  ${certificateText(certificate, 'state' in slice && slice.state === 'ended')}`,
    `tunnel       ${tunnelText(tunnel)}`,
    `fleet agent  ${agent.version ?? 'NOT installed'}, ${agent.running ? 'running' : 'NOT running'}, ${agent.orbitEnrolled ? 'enrolled' : 'NOT enrolled'}`,
    ...tellWhatWorks(works, systemClock.now()),
    ...reasonFirst(checks, reason?.code).flatMap((outcome) => checkLines(outcome)),
    verdict(checks, healthy),
    '',
  ].join('\n');
}

function certificateText(
  { present, valid, number, notAfter, renewal }: ShownEnrollment['certificate'],
  isRevoked: boolean,
): string {
  if (!present) return 'MISSING';
  const which = number === undefined ? '' : `number ${number}, `;
  if (isRevoked) return `${which}REVOKED: the slice has ended this laptop`;
  const next = renewal === undefined ? '' : `; next renewal ${localTime(renewal)}`;
  return `${which}${valid ? 'valid until' : 'EXPIRED at'} ${notAfter === undefined ? '' : localTime(notAfter)}${next}`;
}

function tunnelText({ up, inside, startsAtBoot, keeper }: ShownEnrollment['tunnel']): string {
  const starts = startsAtBoot
    ? keeper?.by === 'app'
      ? 'starts after a login'
      : 'starts at boot'
    : 'does NOT start at boot';
  const by = keeper?.by === 'app' ? '; the WireGuard app keeps it' : '';
  const waits = keeper?.waits === true ? '; the profile for the WireGuard app WAITS for approval' : '';
  return `${up ? 'up' : 'DOWN'}, ${inside ? 'slice reachable' : 'slice NOT reachable'}, ${starts}${by}${waits}`;
}

/** What explains most stands before what follows from it. */
function reasonFirst(checks: readonly ShownOutcome[], reason: string | undefined): ShownOutcome[] {
  const explains = ({ severity, error }: ShownOutcome): boolean =>
    severity === 'failure' && error !== undefined && error.code === reason;
  return [...checks.filter(explains), ...checks.filter((outcome) => !explains(outcome))];
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
