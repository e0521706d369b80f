import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** Fleet's "never": hosts that have not answered yet carry it instead of null. */
export const NEVER = '2000-01-01T00:00:00Z';

const hostSchema = z.strictObject({
  id: z.int().positive(),
  osqueryHostId: z.string(),
  uuid: z.string(),
  hardwareSerial: z.string(),
  hostname: z.string(),
  computerName: z.string(),
  hardwareModel: z.string(),
  hardwareVendor: z.string(),
  platform: z.string(),
  platformLike: z.string(),
  osVersion: z.string(),
  osqueryVersion: z.string(),
  orbitVersion: z.string().nullable(),
  uptimeSeconds: z.number(),
  primaryIp: z.string(),
  orbitNodeKey: z.string().nullable(),
  nodeKey: z.string().nullable(),
  deviceToken: z.string().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
  seenTime: z.string(),
  lastEnrolledAt: z.string(),
  detailUpdatedAt: z.string(),
  deviceStatus: z.enum(['unlocked', 'locked', 'wiped']),
  pendingAction: z.enum(['', 'lock', 'unlock', 'wipe']),
});
export type Host = z.infer<typeof hostSchema>;

const scriptSchema = z.strictObject({
  executionId: z.string(),
  hostId: z.int(),
  action: z.enum(['lock', 'unlock', 'wipe']),
  contents: z.string(),
  exitCode: z.int().nullable(),
  output: z.string(),
});
export type Script = z.infer<typeof scriptSchema>;

const stateSchema = z.strictObject({
  format: z.literal(1),
  nextHostId: z.int().positive(),
  enrollSecrets: z.array(z.strictObject({ secret: z.string().min(1), created_at: z.string() })),
  hosts: z.array(hostSchema),
  scripts: z.array(scriptSchema),
});
type State = z.infer<typeof stateSchema>;

/**
 * Fleet's database, as far as an enrollment sees it. Everything is in memory; `save` writes the whole of it and returns
 * when this change is on disk. Calls at the same time share one write.
 */
export class HostStore {
  readonly #path: string;
  readonly #state: State;
  #writing: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(dir: string, firstEnrollSecret: string) {
    this.#path = join(dir, 'state.json');
    this.#state = existsSync(this.#path)
      ? stateSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
      : {
          format: 1,
          nextHostId: 1,
          enrollSecrets: [{ secret: firstEnrollSecret, created_at: now() }],
          hosts: [],
          scripts: [],
        };
  }

  get hosts(): readonly Host[] {
    return this.#state.hosts;
  }

  get enrollSecrets(): State['enrollSecrets'] {
    return this.#state.enrollSecrets;
  }

  acceptsSecret(secret: string): boolean {
    return this.#state.enrollSecrets.some((known) => known.secret === secret);
  }

  replaceEnrollSecrets(secrets: readonly string[]): void {
    this.#state.enrollSecrets = secrets.map((secret) => ({ secret, created_at: now() }));
  }

  find(matches: (host: Host) => boolean): Host | undefined {
    return this.#state.hosts.find(matches);
  }

  /**
   * The row for an identifier: the one there is, or a new one. Enrolling onto an existing row forgets its lock and wipe
   * state, which is how a stolen laptop gets back in when it is enrolled again before its record is dealt with.
   */
  rowForEnrollment(osqueryHostId: string): Host {
    const known = this.find((host) => host.osqueryHostId === osqueryHostId);
    if (known) {
      this.#state.scripts = this.#state.scripts.filter((script) => script.hostId !== known.id);
      known.deviceStatus = 'unlocked';
      known.pendingAction = '';
      return known;
    }
    const host = emptyHost(this.#state.nextHostId++, osqueryHostId);
    this.#state.hosts.push(host);
    return host;
  }

  delete(id: number): boolean {
    const before = this.#state.hosts.length;
    this.#state.hosts = this.#state.hosts.filter((host) => host.id !== id);
    this.#state.scripts = this.#state.scripts.filter((script) => script.hostId !== id);
    return this.#state.hosts.length < before;
  }

  addScript(hostId: number, action: Script['action'], contents: string): void {
    this.#state.scripts.push({ executionId: randomUUID(), hostId, action, contents, exitCode: null, output: '' });
  }

  scriptsOf(hostId: number): readonly Script[] {
    return this.#state.scripts.filter((script) => script.hostId === hostId);
  }

  /** Returns when everything changed until now is on disk. */
  save(): Promise<void> {
    if (!this.#writing) {
      this.#writing = this.#write().finally(() => (this.#writing = undefined));
      return this.#writing;
    }
    // The write under way has taken its picture already: share the one after it.
    this.#waiting ??= this.#writing
      .catch(() => undefined)
      .then(() => {
        this.#waiting = undefined;
        return this.save();
      });
    return this.#waiting;
  }

  async #write(): Promise<void> {
    const temporary = `${this.#path}.new`;
    await writeFile(temporary, JSON.stringify(this.#state), { mode: 0o600 });
    await rename(temporary, this.#path);
  }
}

/** The time as Fleet's database keeps it: whole seconds, cut off. A fresh row can so look up to a second too old. */
export function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

/** A node key of Fleet's length: 24 random bytes in base64. */
export function newNodeKey(): string {
  return randomBytes(24).toString('base64');
}

function emptyHost(id: number, osqueryHostId: string): Host {
  return {
    id,
    osqueryHostId,
    uuid: '',
    hardwareSerial: '',
    hostname: '',
    computerName: '',
    hardwareModel: '',
    hardwareVendor: '',
    platform: '',
    platformLike: '',
    osVersion: '',
    osqueryVersion: '',
    orbitVersion: null,
    uptimeSeconds: 0,
    primaryIp: '',
    orbitNodeKey: null,
    nodeKey: null,
    deviceToken: null,
    createdAt: now(),
    updatedAt: now(),
    seenTime: NEVER,
    lastEnrolledAt: NEVER,
    detailUpdatedAt: NEVER,
    deviceStatus: 'unlocked',
    pendingAction: '',
  };
}
