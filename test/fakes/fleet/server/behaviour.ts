import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replacePrivateFile } from './files.ts';

const behaviourSchema = z.strictObject({
  /** Orbit's enrollment is answered 401 END_USER_AUTH_REQUIRED, as a newer Fleet does when it wants a login first. */
  endUserAuthRequired: z.boolean().default(false),
  /** The osquery plane refuses every enrollment (401, node_invalid): the ghost host. */
  refuseOsqueryEnroll: z.boolean().default(false),
  /** The orbit plane refuses every enrollment (401). */
  refuseOrbitEnroll: z.boolean().default(false),
  /** Every request is answered 503, as by a load balancer without a server behind it. */
  down: z.boolean().default(false),
  /** distributed/read never asks for details: osquery is seen, but versions and `detail_updated_at` stay as they were. */
  detailsNeverArrive: z.boolean().default(false),
  /** Fleet without a Premium licence: locking, unlocking and wiping are refused (402). */
  free: z.boolean().default(false),
});

export type Behaviour = z.infer<typeof behaviourSchema>;

/** Changes how a running stand-in behaves, from its next request on. What is not named stays as it is. */
export function setBehaviour(dir: string, change: Partial<Behaviour>): void {
  const next = behaviourSchema.parse({ ...readBehaviour(dir), ...change });
  replacePrivateFile(join(dir, 'behaviour.json'), `${JSON.stringify(next, null, 2)}\n`);
}

/** Reads the behaviour now asked for; no file means the behaviour of a healthy Fleet. */
export function readBehaviour(dir: string): Behaviour {
  const path = join(dir, 'behaviour.json');
  return behaviourSchema.parse(existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {});
}
