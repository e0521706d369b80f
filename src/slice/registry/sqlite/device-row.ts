import type { SQLInputValue } from 'node:sqlite';

import { KiwiError } from '../../../core/errors.ts';
import type { Fingerprint } from '../../../protocol/fingerprint.ts';
import { addressNumber, addressText } from '../../config/tunnel-network.ts';
import type { Device } from '../registry.ts';
import { number, numberOrNull, text, textOrNull, type Row } from './rows.ts';
import type {} from './sqlite-database.ts';

/** All columns of a row of the table `device`. */
export type StoredDevice = Omit<Device, 'fingerprintDigest'> & {
  readonly fingerprint: Fingerprint;
  readonly consentId: string | null;
};

/** One column: its name, and the conversions in both directions. */
interface Column<V> {
  readonly name: string;
  readonly read: (row: Row, name: string) => V;
  readonly write: (value: V) => SQLInputValue;
}

const plain = <V extends SQLInputValue>(name: string, read: (row: Row, name: string) => SQLInputValue): Column<V> => ({
  name,
  // The table is STRICT, and only values of type `V` are ever written to the column.
  read: read as Column<V>['read'],
  write: (value) => value,
});
/** The schema of the statement checked the value before it was stored. */
const json = <V>(name: string): Column<V> => ({ name, read: parseJson as Column<V>['read'], write: JSON.stringify });

/** The one mapping between a device and its row, used in both directions. */
const COLUMNS: { readonly [K in keyof StoredDevice]: Column<StoredDevice[K]> } = {
  id: plain('id', text),
  state: plain('state', text),
  attemptId: plain('attempt_id', text),
  hostName: plain('host_name', text),
  address: { name: 'address', read: (row, name) => addressText(number(row, name)), write: addressNumber },
  wireguardPublicKey: plain('wireguard_key', text),
  presharedKey: plain('preshared_key', text),
  deviceKey: json('device_key'),
  keyKind: plain('key_kind', text),
  deviceKeyThumbprint: plain('thumbprint', text),
  csr: plain('csr', text),
  role: plain('role', text),
  // 0 is none: the column is from before there were tokens.
  yubikeySerial: {
    name: 'yubikey_serial',
    read: (row, name) => number(row, name) || null,
    write: (value) => value ?? 0,
  },
  tokenId: plain('token_id', textOrNull),
  fingerprint: json('fingerprint'),
  host: json('host'),
  createdAt: plain('created_at', number),
  grantedAt: plain('granted_at', numberOrNull),
  confirmBy: plain('confirm_by', numberOrNull),
  confirmedAt: plain('confirmed_at', numberOrNull),
  grantHash: plain('grant_hash', textOrNull),
  endedAt: plain('ended_at', numberOrNull),
  endReason: plain('end_reason', textOrNull),
  supersedes: plain('supersedes', textOrNull),
  consentId: plain('consent_id', textOrNull),
  toldAt: plain('told_at', numberOrNull),
  label: plain('label', textOrNull),
};
const MAPPED = Object.entries(COLUMNS) as unknown as readonly [
  keyof StoredDevice,
  Column<StoredDevice[keyof StoredDevice]>,
][];

/** @throws KiwiError `slice-damaged` */
export function toDevice(row: Row): Device {
  const read = MAPPED.map(([member, { name, read }]) => [member, read(row, name)]);
  return withoutInternals(Object.fromEntries(read) as StoredDevice);
}

export function toDeviceRow(device: StoredDevice): Record<string, SQLInputValue> {
  return Object.fromEntries(MAPPED.map(([member, { name, write }]) => [name, write(device[member])]));
}

/** What the registry returns of a stored device. */
export function withoutInternals({ fingerprint, consentId: _, ...device }: StoredDevice): Device {
  return { ...device, fingerprintDigest: fingerprint.digest };
}

/** What vouched for a device, from a row that has both columns. */
export const voucherOf = (row: Row): Pick<Device, 'yubikeySerial' | 'tokenId'> => ({
  yubikeySerial: COLUMNS.yubikeySerial.read(row, COLUMNS.yubikeySerial.name),
  tokenId: COLUMNS.tokenId.read(row, COLUMNS.tokenId.name),
});

/** @throws KiwiError `slice-damaged` */
export const fingerprintOf = (row: Row): Fingerprint => COLUMNS.fingerprint.read(row, COLUMNS.fingerprint.name);

/** @throws KiwiError `slice-damaged`, naming row and column: something else wrote it */
function parseJson(row: Row, name: string): unknown {
  try {
    return JSON.parse(text(row, name));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new KiwiError('slice-damaged', { detail: `registry: ${name} of device ${String(row['id'])}`, cause: error });
  }
}
