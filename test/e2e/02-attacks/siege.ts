import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

import { systemClock } from '../../../src/core/clock.ts';
import type { ErrorCode } from '../../../src/core/error-codes.ts';
import { base64url, digest } from '../../../src/core/bytes.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import { openSlice, type LocalSlice } from '../../../src/slice/operator/open-slice.ts';
import type { Grant } from '../../../src/protocol/grant.ts';
import type { Statement } from '../../../src/protocol/statement.ts';
import type { Room } from '../../lab/lab.ts';
import { loadRoot, type TestRoot } from '../../virtual-yubikey/key/make-root.ts';
import { startInRoom, type LongRunning } from '../../world/long-running.ts';
import { openYubiKey, type OpenedYubiKey } from '../../world/opened-yubikey.ts';
import { ProtocolClient, type Answer, type Bend, type Exchange } from '../../world/protocol-client.ts';
import { World } from '../../world/world.ts';
import { PeerReader } from './peer-reader.ts';
import { enrollmentCertificate, forgeYubiKey, loadAuthority, type Authority, type ForgedYubiKey } from './forge.ts';

/** Serial of the key that the laptop's person has. */
export const SERIAL = 12_345_678;
/** Small, so that a test can fill it. */
export const QUOTA = 12;
const RELAY = path.join(import.meta.dirname, '..', '..', 'world', 'relay.ts');
const NODE = path.join(import.meta.dirname, '..', '..', '..', 'node_modules', '.bin', 'node');

/** What came of an attack on the gateway. */
export interface Attempt {
  readonly answer: Answer;
  /** The session at which it was aimed: it must be as usable as before. */
  readonly sessionId?: string;
}

/** One way to attack the gateway, or to make a mistake there. */
export interface Attack {
  /** What is bent. */
  readonly name: string;
  /** The one refusal that answers it. */
  readonly code: ErrorCode;
  /** What the audit gives as the reason: that it was refused for what the test bent, and not for something else. */
  readonly why?: RegExp;
  /** Prepares, attacks. Whatever it leaves must have been there before `attack` was called: see `prepare`. */
  readonly attack: (siege: Siege) => Promise<Attempt>;
  /** Done before the state is taken down for comparison. */
  readonly prepare?: (siege: Siege) => Promise<void>;
}

/** A laptop that the gateway has enrolled. */
export interface Enrolled {
  readonly exchange: Exchange;
  readonly statement: Statement;
  readonly machine: string;
  readonly jwe: string;
  readonly grantJwe: string;
  readonly grantHash: string;
  readonly grant: Grant;
  readonly deviceId: string;
}

/**
 * A slice under attack, by somebody who holds more than an attacker should: the keys inside YubiKeys, and, where a case says so, those
 * of the slice. The attacker's packets come from a stranger's address on the lab's internet.
 */
export class Siege {
  readonly world: World;
  readonly mallory: Room;
  readonly client: ProtocolClient;
  readonly key: OpenedYubiKey;
  /** A second registered YubiKey. */
  readonly otherKey: ForgedYubiKey;
  readonly intermediate: Authority;
  readonly maker: TestRoot;
  readonly operator: LocalSlice;
  readonly gatewaySocket: string;
  /** A laptop that is enrolled. */
  victim!: Enrolled;
  /** One that has its grant and has not confirmed it. */
  unconfirmed!: Enrolled;
  readonly #registry: DatabaseSync;
  readonly #peers: PeerReader;
  readonly #relays: LongRunning[];
  #serials = 20_000_000;

  private constructor(made: {
    world: World;
    mallory: Room;
    gatewaySocket: string;
    relays: LongRunning[];
    otherKey: ForgedYubiKey;
    operator: LocalSlice;
  }) {
    this.world = made.world;
    this.mallory = made.mallory;
    this.gatewaySocket = made.gatewaySocket;
    this.#relays = made.relays;
    this.otherKey = made.otherKey;
    this.operator = made.operator;
    const { ca, msp, webCa, registry } = slicePaths(made.world.sliceDir);
    this.intermediate = loadAuthority(ca.certificate, ca.key);
    this.maker = loadRoot(made.world.yubicoDir);
    this.key = openYubiKey(made.world.keyFile(SERIAL));
    this.#peers = new PeerReader(made.world.slice);
    this.#registry = new DatabaseSync(registry, { timeout: 5000 });
    this.client = new ProtocolClient({
      gatewayUrl: 'https://enroll.acme.example',
      webCaFile: webCa.certificate,
      rootFile: msp.certificate,
      socketPath: made.gatewaySocket,
    });
  }

  static async lay(): Promise<Siege> {
    const dir = await mkdtemp(path.join(tmpdir(), 'kiwistack-siege-'));
    const initArgs = ['--quota', String(QUOTA), '--rate-limit', '100'];
    let world: World | undefined;
    try {
      world = await World.create({ dir, initArgs });
      const [mallory] = await Promise.all([world.lab.addRoom({ name: 'mallory' }), world.provisionKey(SERIAL)]);
      const gatewaySocket = path.join(dir, 'gateway.sock');
      const relay = await startRelay(world, mallory, `unix:${gatewaySocket}`, `${world.slice.address}:443`);
      const operator = await openSlice(world.sliceDir, systemClock);
      const { ca } = slicePaths(world.sliceDir);
      const intermediate = loadAuthority(ca.certificate, ca.key);
      const maker = loadRoot(world.yubicoDir);
      const otherKey = await forgeYubiKey(maker, 20_000_000, (key) => enrollmentCertificate(intermediate, key));
      await registerKey(operator, otherKey);
      const siege = new Siege({ world, mallory, gatewaySocket, relays: [relay], otherKey, operator });
      siege.victim = await siege.enroll({ confirm: true });
      siege.unconfirmed = await siege.enroll();
      return siege;
    } catch (error) {
      await world?.destroy();
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  async lift(): Promise<void> {
    await this.client.close();
    await this.operator.close();
    this.#registry.close();
    this.#peers.stop();
    await Promise.allSettled(this.#relays.map((relay) => relay.stop()));
    await this.world.destroy();
    await rm(this.world.dir, { recursive: true, force: true });
  }

  /** A relay in a room; `unix:PATH` or `HOST:PORT`. */
  async relay(room: Room, from: string, to: string): Promise<void> {
    this.#relays.push(await startRelay(this.world, room, from, to));
  }

  /** A YubiKey of the right maker, with a certificate of the right CA and nothing in the registry. */
  async newKey(options: Parameters<typeof forgeYubiKey>[3] = {}): Promise<ForgedYubiKey> {
    const certify = (key: Parameters<typeof enrollmentCertificate>[1]) => enrollmentCertificate(this.intermediate, key);
    return forgeYubiKey(this.maker, ++this.#serials, certify, options);
  }

  /** One that is registered. */
  async registeredKey(options: Parameters<typeof forgeYubiKey>[3] = {}): Promise<ForgedYubiKey> {
    const key = await this.newKey(options);
    await registerKey(this.operator, key);
    return key;
  }

  /** The operator is told that a key was lost. */
  async burn(serial: number): Promise<void> {
    const args = ['yubikey', 'burn', '--dir', this.world.sliceDir, '--serial', String(serial), '--yes'];
    const result = await this.world.operator([...args, '--why', 'lost in a train']);
    if (result.code !== 0) throw new Error(`not burned: ${result.stderr}`);
  }

  /** Hello, challenge, and a statement that is bent. */
  async attempt(bend: Bend = {}, key: OpenedYubiKey = this.key, machine?: string): Promise<Attempt> {
    const exchange = await this.client.begin(this.key);
    const statement = await this.client.statementOf(key, exchange, machine);
    return this.send(exchange, await this.client.seal(key, exchange, statement, bend));
  }

  async send(exchange: Exchange, jwe: string): Promise<Attempt> {
    const { sessionId } = exchange.opened.challenge;
    return { answer: await this.client.sendStatement(sessionId, jwe), sessionId };
  }

  /** Enrolls a laptop honestly. */
  async enroll(
    options: { bend?: Bend; key?: OpenedYubiKey; machine?: string; confirm?: boolean } = {},
  ): Promise<Enrolled> {
    const key = options.key ?? this.key;
    const machine = options.machine ?? randomBytes(8).toString('hex');
    const exchange = await this.client.begin(this.key);
    const statement = await this.client.statementOf(key, exchange, machine);
    const jwe = await this.client.seal(key, exchange, statement, options.bend ?? {});
    const { answer } = await this.send(exchange, jwe);
    if (answer.status !== 200) throw new Error(`no grant: ${answer.status} ${answer.body}`);
    const grant = await this.client.openGrant(exchange, answer.body);
    const grantHash = digest(answer.body);
    const { deviceId } = grant;
    if (options.confirm === true) {
      const confirmed = await this.client.device('confirm', deviceId, exchange.deviceKey, confirmation(grantHash));
      if (confirmed.status !== 200) throw new Error(`not confirmed: ${confirmed.status} ${confirmed.body}`);
    }
    return { exchange, statement, machine, jwe, grantJwe: answer.body, grantHash, grant, deviceId };
  }

  /** The laptop leaves: name, address and fingerprint are free again. */
  async leave({ deviceId, exchange }: Enrolled): Promise<void> {
    const answer = await this.client.device('leave', deviceId, exchange.deviceKey, { reason: 'uninstalled' });
    if (answer.status !== 200) throw new Error(`not left: ${answer.status} ${answer.body}`);
  }

  /** Waits until the slice's upkeep has revoked what is to be revoked. */
  async settled(): Promise<void> {
    const open = 'SELECT 1 FROM certificate WHERE revoke_why IS NOT NULL AND revoked_at IS NULL';
    const end = Date.now() + 120_000;
    while (this.rows(open).length > 0) {
      if (Date.now() > end) throw new Error('certificates are not revoked');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  rows(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#registry.prepare(sql).all(...values);
  }

  change(sql: string, ...values: SQLInputValue[]): void {
    this.#registry.prepare(sql).run(...values);
  }

  /** The endpoint's peers with their addresses, as `wg` shows them. */
  async peers(): Promise<string[]> {
    return (await this.#peers.ask()).sort();
  }

  /** The devices that live, with what they hold. */
  async live(): Promise<string> {
    const devices = this.rows("SELECT * FROM device WHERE state <> 'ended' ORDER BY id");
    const fingerprints = this.rows('SELECT * FROM fingerprint ORDER BY 1, 2, 3');
    return JSON.stringify([devices, fingerprints, await this.peers()], undefined, 1);
  }

  /** Makes the time to confirm run out for a laptop whose grant never arrived, and waits until the slice has taken it back. */
  async takeBack(hostName: string): Promise<void> {
    const [pending] = this.rows(
      "SELECT id, wireguard_key FROM device WHERE host_name = ? AND state = 'pending'",
      hostName,
    );
    if (pending === undefined) throw new Error(`${hostName} is not pending`);
    this.change('UPDATE device SET confirm_by = ? WHERE id = ?', Date.now() - 1, String(pending['id']));
    const end = Date.now() + 120_000;
    const isThere = async (): Promise<boolean> =>
      (await this.peers()).join().includes(String(pending['wireguard_key']));
    while (await isThere()) {
      if (Date.now() > end) throw new Error('the peer is not taken away');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** All that a refused request must leave as it is. (Sessions come with every hello; the audit is to grow.) */
  async snapshot(): Promise<string> {
    const tables = ['device', 'fingerprint', 'outcome', 'consent', 'yubikey', 'certificate'].map((table) => [
      table,
      this.rows(`SELECT * FROM ${table} ORDER BY 1, 2, 3`),
    ]);
    const live = this.rows("SELECT value FROM counter WHERE name = 'live-devices'");
    return JSON.stringify([tables, live, await this.peers()], undefined, 1);
  }
}

export const confirmation = (grantHash: string): object => ({ grantHash });
export const nonce = (): object => ({ nonce: base64url(randomBytes(16)) });

async function registerKey(operator: LocalSlice, key: ForgedYubiKey): Promise<void> {
  const certificate = base64url(key.certificate.der);
  const { serial } = key;
  await operator.ask('yubikey.register', { serial, slot: '9c', role: 'engineer', certificate, reinstate: false });
}

function startRelay(world: World, room: Room, from: string, to: string): Promise<LongRunning> {
  const logFile = path.join(world.logDir, 'relay.log');
  return startInRoom(room, [NODE, RELAY, from, to], { what: 'a relay', logFile });
}
