import type { EndReason } from '../../../protocol/device-messages.ts';
import type { Fingerprint } from '../../../protocol/fingerprint.ts';
import { addressText } from '../../config/tunnel-network.ts';
import { decideConfirmation } from '../../decisions/decide-confirmation.ts';
import { decideGrant, type GrantRefusal, type Standing } from '../../decisions/decide-grant.ts';
import type { ReservationRefusal } from '../../decisions/decide-reservation.ts';
import type { DeviceState } from '../../decisions/device-state.ts';
import type { DutyKind } from '../../decisions/duties-of-end.ts';
import type { AuditEntry, Device, DevicePeer, Millis, ReservationRequest, StoredGrant } from '../registry.ts';
import { burnToken } from './claim-queries.ts';
import { fingerprintOf, toDevice } from './device-row.ts';
import { endDevice, isBurned } from './end-device.ts';
import { methodMakers } from './methods.ts';
import { reserve, rollbackReservation } from './reserve.ts';
import { insertAudit } from './insert-audit.ts';
import type { Row } from './rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const PEER = 'id, state, address, wireguard_key, preshared_key';
/** A lost laptop has none once Fleet has nothing to do there any more. */
const HAS_PEER = `preshared_key <> ''
  AND NOT EXISTS (SELECT 1 FROM loss WHERE loss.device_id = device.id AND part = 'tunnel' AND loss.state = 'done')`;

/** Devices, from reservation to end: see `Registry`. */
export function deviceQueries(db: SqliteDatabase) {
  const { read, write, writeDurably } = methodMakers(db);
  const find = (id: string): Device | undefined => {
    const row = db.get('SELECT * FROM device WHERE id = ?', id);
    return row === undefined ? undefined : toDevice(row);
  };
  /** The facts that decide whether a device may move to its next state; the rest of its row is long. */
  const standing = (id: string): Standing | undefined => {
    const row = db.get(
      'SELECT state, end_reason, yubikey_serial, supersedes, consent_id, confirm_by FROM device WHERE id = ?',
      id,
    );
    if (row === undefined) return undefined;
    return {
      state: String(row['state']) as DeviceState,
      burned: row['end_reason'] === 'yubikey-burned' || isBurned(db, Number(row['yubikey_serial'])),
      supersedes: row['supersedes'] === null ? null : String(row['supersedes']),
      consented: row['consent_id'] !== null,
      confirmBy: row['confirm_by'] === null ? null : Number(row['confirm_by']),
    };
  };
  const peer = (row: Row): DevicePeer => ({
    id: String(row['id']),
    address: addressText(Number(row['address'])),
    wireguardPublicKey: String(row['wireguard_key']),
    presharedKey: String(row['preshared_key']),
    restricted: row['state'] === 'ended',
  });
  return {
    reserve: write((request: ReservationRequest): Device | ReservationRefusal => {
      return reserve(db, request);
    }),
    rollbackReservation: writeDurably((deviceId: string): void => {
      rollbackReservation(db, deviceId);
    }),
    abandonedReservations: read((now: Millis): Device[] => {
      return db
        .all(
          `SELECT device.* FROM device JOIN session USING (attempt_id) WHERE device.state = 'reserved' AND session.expires_at <= ?`,
          now,
        )
        .map(toDevice);
    }),
    storeGrant: writeDurably((grant: StoredGrant, audit: AuditEntry): 'stored' | GrantRefusal => {
      const device = standing(grant.deviceId);
      const supersedes = device?.supersedes ?? null;
      const decision = decideGrant(device, supersedes === null ? undefined : standing(supersedes));
      if (decision !== 'granted') return decision;
      if (supersedes !== null && endDevice(db, supersedes, 'superseded', grant.grantedAt, audit)) {
        insertAudit(
          db,
          { ...audit, action: 'device.end', deviceId: supersedes, why: `superseded by ${grant.deviceId}` },
          grant.grantedAt,
        );
      }
      // It is the same laptop, whose operators go on calling it so.
      if (supersedes !== null) {
        db.run(
          'UPDATE device SET label = (SELECT label FROM device WHERE id = ?) WHERE id = ?',
          supersedes,
          grant.deviceId,
        );
      }
      db.run(
        `UPDATE device SET state = 'pending', granted_at = ?, confirm_by = ?, grant_hash = ? WHERE id = ?`,
        grant.grantedAt,
        grant.confirmBy,
        grant.grantHash,
        grant.deviceId,
      );
      db.insert('certificate', {
        serial: grant.certificate.serial,
        kind: 'device',
        device_id: grant.deviceId,
        not_after: grant.certificate.notAfter,
      });
      db.run("UPDATE outcome SET state = 'granted', grant_text = ? WHERE attempt_id = ?", grant.grant, grant.attemptId);
      // The grant is stored byte for byte, so the key that opens the statement is not needed again.
      db.run('UPDATE session SET private_key = NULL WHERE attempt_id = ?', grant.attemptId);
      insertAudit(db, audit, grant.grantedAt);
      return 'stored';
    }),

    findDevice: read(find),
    listDevices: read((): Device[] => {
      return db.all('SELECT * FROM device ORDER BY created_at, id').map(toDevice);
    }),
    livePeers: read(() => {
      return db.all(`SELECT ${PEER} FROM device WHERE ${HAS_PEER} ORDER BY created_at`).map(peer);
    }),
    findLivePeer: read((wireguardPublicKey: string) => {
      const row = db.get(
        `SELECT ${PEER} FROM device WHERE wireguard_key = ? AND ${HAS_PEER} ORDER BY created_at DESC LIMIT 1`,
        wireguardPublicKey,
      );
      return row === undefined ? undefined : peer(row);
    }),
    confirm: writeDurably((deviceId: string, now: Millis, audit: AuditEntry): 'active' | 'ended' | 'yubikey-burned' => {
      const decision = decideConfirmation(standing(deviceId), now);
      if (decision !== 'confirmed') return decision;
      db.run(`UPDATE device SET state = 'active', confirmed_at = ? WHERE id = ?`, now, deviceId);
      burnToken(db, deviceId, now);
      db.run("UPDATE outcome SET state = 'closed', grant_text = NULL WHERE device_id = ?", deviceId);
      insertAudit(db, audit, now);
      return 'active';
    }),
    endDevice: writeDurably(
      (deviceId: string, reason: EndReason, now: Millis, audit: AuditEntry): 'ended' | 'unchanged' => {
        if (!endDevice(db, deviceId, reason, now, audit)) return 'unchanged';
        insertAudit(db, audit, now);
        return 'ended';
      },
    ),
    labelDevice: writeDurably(
      (deviceId: string, label: string | null, now: Millis, audit: AuditEntry): 'labelled' | 'taken' => {
        const other = db.get(
          `SELECT 1 FROM device WHERE id <> ? AND (ended_at IS NULL OR end_reason = 'lost') AND (host_name = ? OR label = ?) LIMIT 1`,
          deviceId,
          label,
          label,
        );
        if (label !== null && other !== undefined) return 'taken';
        db.run('UPDATE device SET label = ? WHERE id = ?', label, deviceId);
        insertAudit(db, audit, now);
        return 'labelled';
      },
    ),
    findFingerprint: read((deviceId: string): Fingerprint | undefined => {
      const row = db.get('SELECT fingerprint FROM device WHERE id = ?', deviceId);
      return row === undefined ? undefined : fingerprintOf(row);
    }),
    findLiveDeviceOn: read((fingerprintDigest: string): Pick<Device, 'id' | 'hostName'> | undefined => {
      const row = db.get(
        "SELECT id, host_name FROM device WHERE ended_at IS NULL AND json_extract(fingerprint, '$.digest') = ? LIMIT 1",
        fingerprintDigest,
      );
      return row === undefined ? undefined : { id: String(row['id']), hostName: String(row['host_name']) };
    }),
    markTold: writeDurably((deviceId: string, now: Millis): void => {
      db.run("UPDATE device SET told_at = ? WHERE id = ? AND state = 'ended' AND told_at IS NULL", now, deviceId);
    }),
    listDuties: read((kind: DutyKind, limit: number): Device[] => {
      return db
        .all(
          'SELECT device.* FROM duty JOIN device ON device.id = duty.device_id WHERE kind = ? ORDER BY since LIMIT ?',
          kind,
          limit,
        )
        .map(toDevice);
    }),
    dutiesOf: read((deviceId: string): DutyKind[] => {
      return db.all('SELECT kind FROM duty WHERE device_id = ?', deviceId).map(({ kind }) => String(kind) as DutyKind);
    }),
    markDone: writeDurably((deviceId: string, kind: DutyKind): void => {
      db.run('DELETE FROM duty WHERE kind = ? AND device_id = ?', kind, deviceId);
    }),
    findLiveTwin: read(({ uuid, serial }: Pick<Device['host'], 'uuid' | 'serial'>): { id: string } | undefined => {
      const row = db.get(
        `SELECT id FROM device WHERE ended_at IS NULL
         AND (lower(json_extract(host, '$.uuid')) = lower(?) OR lower(json_extract(host, '$.serial')) = lower(?)) LIMIT 1`,
        uuid ?? null,
        serial ?? null,
      );
      return row === undefined ? undefined : { id: String(row['id']) };
    }),
    unconfirmedDevices: read((now: Millis): Device[] => {
      return db.all("SELECT * FROM device WHERE state = 'pending' AND confirm_by <= ?", now).map(toDevice);
    }),
  };
}
