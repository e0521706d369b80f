import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a Fleet stand-in keeps what its users need: the CA to trust, the secret to enroll with, the token for REST. */
export interface FleetFiles {
  readonly caPath: string;
  readonly enrollSecretPath: string;
  readonly apiTokenPath: string;
}

/** Names the files below a stand-in's directory. They exist once the server has printed its ready line. */
export function fleetFiles(dir: string): FleetFiles {
  return {
    caPath: join(dir, 'ca.crt'),
    enrollSecretPath: join(dir, 'enroll-secret'),
    apiTokenPath: join(dir, 'api-token'),
  };
}

/** Makes directory, enroll secret and API token where they are missing, and reads them. Safe to repeat. */
export function prepareFleetFiles(dir: string): { enrollSecret: string; apiToken: string } {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const files = fleetFiles(dir);
  return { enrollSecret: secretIn(files.enrollSecretPath), apiToken: secretIn(files.apiTokenPath) };
}

/** Replaces a file in one step, readable by its owner only. */
export function replacePrivateFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

function secretIn(path: string): string {
  if (!existsSync(path)) replacePrivateFile(path, `${randomBytes(24).toString('base64url')}\n`);
  return readFileSync(path, 'utf8').trim();
}
