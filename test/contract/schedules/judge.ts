import { readdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

import { parseCertificate } from '../../../src/pki/certificate.ts';
import { reap } from '../../../src/slice/upkeep/reap.ts';
import type { FaultySlice } from './faulty-slice.ts';
import type { Laptop } from './laptop.ts';
import { recordOf, type Kind, type Played } from './play-schedule.ts';

/** Looks into the registry itself: what a schedule left there, whatever the gateway would say of it. */
export interface Judge {
  /** What was there before the schedule is not its doing. */
  begin(): void;
  /** @returns what is wrong; nothing when all is as it should be */
  judge(played: Played): Promise<string[]>;
  close(): void;
}

/** Longer than a device may go without confirming. */
const CONFIRM_MS = 1_000_000;

/** What an enrolled laptop keeps; a farewell that was told, and whose answer was lost, is told again. */
const STATE_FILES: ReadonlySet<string> = new Set(['enrollment.json', 'journal.jsonl', 'farewell.json']);

type Row = Record<string, string | number | null>;

export function openJudge(slice: FaultySlice): Judge {
  const db = new DatabaseSync(slice.kit.paths.registry, { readOnly: true });
  const all = (sql: string, ...values: (string | number)[]): Row[] => db.prepare(sql).all(...values) as Row[];
  const newest = (sql: string): number => Number(all(sql)[0]?.['n'] ?? 0);
  const mark = { device: 0, audit: 0 };
  const devices = (): Row[] => all('SELECT * FROM device WHERE rowid > ? ORDER BY rowid', mark.device);
  /** Every certificate that step-ca made for the laptop, and what the registry knows of it. */
  const certificates = (): Row[] =>
    slice.issued.map((pem) => {
      const { serialHex } = parseCertificate(pem);
      const [row] = all('SELECT * FROM certificate WHERE serial = ?', serialHex);
      return row ?? { serial: serialHex, device_id: 'nobody knows of', revoke_why: null, revoked_at: null };
    });

  /** What has to hold at any moment when nothing is under way. */
  const atRest = (): string[] => {
    const unfinished = all(
      "SELECT device_id FROM outcome WHERE state = 'in-progress' AND device_id IN (SELECT id FROM device WHERE rowid > ?)",
      mark.device,
    );
    const faults = all(
      "SELECT * FROM audit WHERE id > ? AND (code IN ('internal', 'fingerprint-clone') OR action = 'fingerprint.clone')",
      mark.audit,
    );
    return [
      ...devices().flatMap(({ id, state }) => (state === 'reserved' ? [`device ${id} is still reserved`] : [])),
      ...unfinished.map((outcome) => `outcome of ${outcome['device_id']} is still in progress`),
      ...faults.map(({ action, decision, code, why }) => `audit: ${action} ${decision} ${code}: ${why}`),
    ];
  };

  const enrolled = async (laptop: Laptop): Promise<string[]> => {
    const living = devices().filter(({ state }) => state !== 'ended');
    const [live] = living;
    if (live === undefined || living.length > 1 || live['state'] !== 'active') {
      return [`devices: ${devices().map(describe).join('; ')}`];
    }
    const wrong: string[] = [];
    const same = (what: string, given: unknown, wanted: unknown): void => {
      if (given !== wanted) wrong.push(`${what}: ${String(given)} instead of ${String(wanted)}`);
    };
    const good = certificates().filter(({ revoke_why: why }) => why === null);
    const record = await recordOf(laptop);
    const store = laptop.life?.options.platform.certificates;
    const stored = record === undefined ? undefined : await store?.load(record.slug);
    same('good certificates', good.map((certificate) => certificate['device_id']).join(', '), live['id']);
    same('certificate of the laptop', stored?.leaf.serialHex, good[0]?.['serial']);
    same('record', record?.state, 'active');
    same('device of the record', record?.device?.deviceId, live['id']);
    const keys = new Set(devices().map((device) => device['wireguard_key']));
    const peers = [...slice.kit.endpoint.peers.values()].filter(({ publicKey }) => keys.has(publicKey));
    same('peers', peers.length, 1);
    same('key of the peer', peers[0]?.publicKey, live['wireguard_key']);
    same('address of the peer', peers[0]?.address, laptop.os.tunnel?.address);
    same('secret of the peer', peers[0]?.presharedKey, laptop.os.tunnel?.presharedKey);
    same('roots of the laptop', laptop.os.roots.size, 1);
    const files = filesIn(laptop.life?.options.platform.stateFolder ?? '').filter((name) => !STATE_FILES.has(name));
    same('further files in the state folder', files.join(', '), '');
    same('agent of the laptop', laptop.os.agent.installed && laptop.os.agent.secretForgotten, true);
    return wrong;
  };

  const gone = (laptop: Laptop): string[] => {
    const wrong = devices().flatMap((device) => (device['state'] === 'ended' ? [] : [`lives: ${describe(device)}`]));
    for (const { serial, revoke_why: why } of certificates())
      if (why === null) wrong.push(`good certificate ${serial}`);
    const keys = new Set(devices().map((device) => device['wireguard_key']));
    for (const key of keys) if (slice.kit.endpoint.peers.has(String(key))) wrong.push('a peer is left');
    const { os, life } = laptop;
    if (os.roots.size > 0 || os.tunnel !== undefined || os.agent.installed) wrong.push('the laptop is not as before');
    const files = filesIn(life?.folder ?? '');
    if (files.length > 0) wrong.push(`left on the disk: ${files.join(', ')}`);
    return wrong;
  };

  const spent = (consentId: string): string[] => {
    const [consent] = all('SELECT * FROM consent WHERE id = ?', consentId);
    const users = devices().filter((device) => device['consent_id'] === consentId);
    const prior = devices().find(({ id }) => id === consent?.['device_id']);
    const wrong: string[] = [];
    if (consent?.['used_at'] === null) wrong.push('the consent is not spent');
    if (users.length !== 1) wrong.push(`the consent is spent on ${users.length} devices`);
    if (prior?.['end_reason'] !== 'superseded') wrong.push(`the earlier device ended as ${prior?.['end_reason']}`);
    return wrong;
  };

  const used = (tokenId: string): string[] => {
    const [token] = all('SELECT * FROM claim_token WHERE id = ?', tokenId);
    const living = devices().filter(({ state }) => state === 'active');
    const claimed = devices().every((device) => device['token_id'] === tokenId);
    return [
      ...(token?.['device_id'] === living[0]?.['id'] ? [] : [`the token became ${token?.['device_id']}`]),
      ...(claimed ? [] : ['a device without the token']),
    ];
  };

  return {
    begin() {
      slice.issued.length = 0;
      mark.device = newest('SELECT max(rowid) AS n FROM device');
      mark.audit = newest('SELECT max(id) AS n FROM audit');
    },
    async judge({ kind, laptop, consentId, tokenId }) {
      const end = async (): Promise<string[]> => [...atRest(), ...(await endOf(kind, laptop))];
      const endOf = async (of: Kind, on: Laptop): Promise<string[]> => (of === 'uninstalled' ? [] : enrolled(on));
      const wrong = await end();
      if (consentId !== undefined) wrong.push(...spent(consentId));
      if (tokenId !== undefined) wrong.push(...used(tokenId));
      // What is not confirmed ends by itself; what is lives on.
      slice.clock.pass(CONFIRM_MS);
      await reap(slice.context);
      wrong.push(...(kind === 'uninstalled' ? [...atRest(), ...gone(laptop)] : await end()));
      const late = certificates().filter(({ revoke_why: why, revoked_at: at }) => why !== null && at === null);
      if (late.length > 0) wrong.push(`${late.length} certificates are not revoked yet`);
      return [...new Set(wrong)];
    },
    close: () => db.close(),
  };
}

const describe = ({ id, state, end_reason: reason }: Row): string =>
  `${id} ${state}${reason === null ? '' : ` (${reason})`}`;

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [] : [entry.name],
  );
