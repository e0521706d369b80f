import { digest } from '../../core/bytes.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/**
 * What in slice.json decides who may do what, for the audit: one text, in which each setting is a name and its value. Keys are
 * there as a digest: all that counts is whether they are the same.
 */
export function settingsInWords(config: SliceConfig): string {
  const { twoPersons, operators, claims, deviceKey, firmware, rekey } = config;
  return [
    `twoPersons ${twoPersons.when}/${twoPersons.manyDevices}`,
    `operators ${operators.length}/${mark(operators)}`,
    `claims ${claims.withoutTpm}/${claims.approvalHours}h`,
    `deviceKey ${deviceKey.tpm}`,
    `firmware ${firmware.minimum}/${firmware.older}`,
    `rekey ${rekey.by}/${rekey.hours}h`,
    `recoveryKey ${config.recoveryKey === undefined ? 'none' : mark(config.recoveryKey)}`,
  ].join(SEPARATOR);
}

/** The settings that differ, as they were and as they are. */
export function changedSettings(before: string, now: string): string[] {
  const known = new Map(before.split(SEPARATOR).map(nameAndValue));
  return now
    .split(SEPARATOR)
    .map(nameAndValue)
    .filter(([name, value]) => known.get(name) !== value)
    .map(([name, value]) => `${name}: ${known.get(name) ?? 'not recorded'}, now ${value}`);
}

const SEPARATOR = ', ';

function nameAndValue(setting: string): [string, string] {
  const [name = '', value = ''] = setting.split(' ');
  return [name, value];
}

const mark = (value: unknown): string => digest(JSON.stringify(value)).slice(0, 12);
