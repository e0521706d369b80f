import { KiwiError } from '../../core/errors.ts';
import { sha256 } from '../../core/bytes.ts';
import { COMPONENT_LENGTH } from '../../protocol/component-text.ts';
import { oneLine } from '../../protocol/one-line.ts';
import { statement, type Statement } from '../../protocol/statement.ts';
import type { HardwareFacts, HardwareReader } from '../system/hardware-reader.ts';
import { normaliseComponent } from './normalise.ts';

export type HostDescription = Statement['host'];

/**
 * Describes the laptop for the registry and Fleet.
 * @throws KiwiError `unsupported-system` for an architecture without an agent; `fingerprint-too-weak` for a laptop that the
 * slice could not find in Fleet
 */
export async function describeHost(reader: HardwareReader): Promise<HostDescription> {
  const [hardware, system] = await Promise.all([reader.readHardware(), reader.readSystem()]);
  if (system.arch !== 'x64' && system.arch !== 'arm64') {
    throw new KiwiError('unsupported-system', { detail: `processor architecture ${system.arch}` });
  }
  const uuid = normaliseComponent('uuid', hardware.uuid ?? '');
  const serial = plainText(hardware.systemSerial, COMPONENT_LENGTH);
  const usableSerial = normaliseComponent('system-serial', serial ?? '') === undefined ? undefined : serial;
  const model = plainText(system.model);
  // Fleet looks a serial number up as osquery reports it; the one in the message may be another spelling of it.
  if (uuid === undefined && (usableSerial === undefined || usableSerial !== hardware.systemSerial)) {
    throw new KiwiError('fingerprint-too-weak', { detail: whyNotFound(hardware) });
  }
  return statement.shape.host.parse({
    name: hostLabel(system.hostName, hardware.uuid ?? hardware.systemSerial ?? ''),
    os: system.os,
    osVersion: plainText(system.osVersion) ?? system.os,
    arch: system.arch,
    ...(usableSerial === undefined ? {} : { serial: usableSerial }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(model === undefined ? {} : { model }),
  });
}

/** Neither is shown if it could identify somebody. */
function whyNotFound({ uuid, systemSerial = '' }: HardwareFacts): string {
  const serial =
    normaliseComponent('system-serial', systemSerial) === undefined
      ? `the system serial number (${JSON.stringify(systemSerial.slice(0, 40))}) is a placeholder`
      : 'the system serial number has blanks, control characters or more than 128 characters';
  const why = uuid === undefined ? 'there is no hardware UUID' : 'the hardware UUID is a placeholder or not valid';
  return `Fleet recognises a laptop by hardware UUID or system serial number: ${why}, and ${serial}`;
}

/** Names that do not tell one laptop from another. */
const GENERIC_NAMES: ReadonlySet<string> = new Set(['', 'localhost', 'localhost4', 'localhost6', 'unknown']);

/**
 * A host name as a DNS label: its first label, transliterated where Unicode can decompose it, everything else replaced with
 * '-'. A laptop without a name of its own gets `laptop-` and four hex digits of a hash of its hardware UUID or serial.
 */
export function hostLabel(name: string, hardware: string): string {
  const first = name.trim().split('.')[0] ?? '';
  const label = first
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .replaceAll('ß', 'ss')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return GENERIC_NAMES.has(label) ? `laptop-${sha256(hardware).toString('hex').slice(0, 4)}` : label;
}

/** The text in one line; undefined when nothing is left of it. */
function plainText(raw: string | undefined, maxLength = 100): string | undefined {
  const text = oneLine(raw ?? '', maxLength);
  return text === '' ? undefined : text;
}
