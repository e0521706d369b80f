import { printable } from '../../core/log.ts';
import type { DeviceReport, KeyReport } from '../../protocol/device-report.ts';
import { standOf, type Line } from './stand-of-loss.ts';
import { localTime } from './table.ts';

const TUNNEL = {
  open: 'open',
  'fleet-only': 'reaches nothing but Fleet',
  none: 'has no peer on the endpoint',
} as const satisfies Record<DeviceReport['tunnel'], string>;

/** A laptop for people: one thing a line. What laptops have said cannot move the cursor. */
export function renderReport(report: DeviceReport): string {
  const { device, tunnel, duties, copiedAt, alarms, consents } = report;
  const at = (ms: number): string => localTime(new Date(ms));
  const rows: (readonly [string, string] | undefined)[] = [
    ['laptop', `${device.label === null ? '' : `${device.label}, `}${device.hostName} (${device.id})`],
    ['state', stateOf(report)],
    ['role', `${device.role}, ${broughtBy(device)} at ${at(device.createdAt)}`],
    ['device key', device.keyKind === 'tpm' ? 'in a TPM' : 'unproven: in a file, for all that the slice knows'],
    ['address', `${device.address}; the tunnel ${TUNNEL[tunnel]}`],
    ['hardware', [device.host.serial, device.host.uuid].filter((part) => part !== undefined).join(', ') || 'not said'],
    ['certificates', certificatesOf(report)],
    copiedAt === null ? undefined : ['copied', `two laptops used it at ${at(copiedAt)}: see \`device release\``],
    ...consents
      .filter(({ expiresAt }) => expiresAt > Date.now())
      .map(({ id, expiresAt }) => ['consent', `${id.slice(0, 8)}, until ${at(expiresAt)}`] as const),
    ...alarms.map(({ id, code = '', why = '' }) => ['alarm', `${id} ${code} ${why}`] as const),
    duties.length === 0 ? undefined : ['still to do', duties.join(', ')],
  ];
  const stand = standOf(report);
  return [
    ...rows.flatMap((row) => (row === undefined ? [] : `${row[0].padEnd(14)}${printable(row[1])}\n`)),
    ...(stand.length === 0 ? [] : [`lost, reported at ${at(reportedAt(report))}:\n`]),
    ...stand.map(renderLine),
  ].join('');
}

export const renderLine = ({ mark, what, text }: Line): string => `${mark} ${what.padEnd(17)}${printable(text)}\n`;

function stateOf({ device }: DeviceReport): string {
  const { state, endedAt, endReason, toldAt } = device;
  if (endedAt === null) return state;
  const told = toldAt === null ? '' : `; the laptop was told at ${localTime(new Date(toldAt))}`;
  return `${state} at ${localTime(new Date(endedAt))}: ${endReason ?? ''}${told}`;
}

function certificatesOf({ certificates }: DeviceReport): string {
  const last = certificates.at(-1);
  if (last === undefined) return 'none';
  const revoked = certificates.filter(({ revokedAt }) => revokedAt !== null).length;
  return `${certificates.length} kept, ${revoked} of them revoked; the last one ends at ${localTime(new Date(last.notAfter))}`;
}

/** The mark of the recovery key is made with the report, and stays as it is. */
function reportedAt({ loss, device }: DeviceReport): number {
  return loss.find(({ part }) => part === 'recovery-key')?.at ?? device.endedAt ?? device.createdAt;
}

/** A YubiKey for people. */
export function renderKeyReport({ yubikey, certificates, devices }: KeyReport): string {
  const at = (ms: number): string => localTime(new Date(ms));
  const { serial, slot, role, registeredAt, burnedAt, burnedWhy, certified, written } = yubikey;
  const valid = written
    ? 'written: a certificate was written to a file, and the key has enrolled no laptop with it yet'
    : certified
      ? 'active'
      : 'reissue: its certificate is of an intermediate that was replaced';
  const rows = [
    ['yubikey', `${serial}, slot ${slot}`],
    ['state', burnedAt === null ? valid : `burned at ${at(burnedAt)}: ${burnedWhy ?? ''}`],
    ['role', `${role}, registered at ${at(registeredAt)}`],
    ...certificates.map(({ serial: number, notAfter, revokeWhy, revokedAt }) => [
      'certificate',
      `${number}, ${
        revokedAt !== null
          ? `revoked at ${at(revokedAt)}`
          : revokeWhy !== null
            ? 'waits for step-ca to revoke it'
            : `until ${at(notAfter)}`
      }`,
    ]),
    ...devices.map(({ id, hostName, state, endReason, createdAt }) => [
      'laptop',
      `${hostName} (${id.slice(0, 8)}), ${[state, endReason ?? []].flat().join(', ')}, enrolled at ${at(createdAt)}`,
    ]),
  ];
  return rows.map(([what = '', text = '']) => `${what.padEnd(14)}${printable(text)}\n`).join('');
}

const broughtBy = ({ yubikeySerial, tokenId }: DeviceReport['device']): string =>
  yubikeySerial === null ? `claimed with token ${tokenId ?? ''}` : `enrolled with YubiKey ${yubikeySerial}`;
