import { lstat } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { isMissing } from '../core/durable-file.ts';
import { ERROR_CODES, type ErrorEntry } from '../core/error-codes.ts';
import { KiwiError } from '../core/errors.ts';
import { readCappedFile } from '../core/read-capped-file.ts';
import { parseStrictJson } from '../core/strict-json.ts';
import { errorCode } from './wire-error.ts';

/** Where the claim of a laptop from an OEM says how it stands: platform/linux/paths.ts has the same. */
export const CLAIM_STAND = '/run/kiwistack-enroll/claim.json';

const MAX_BYTES = 16 * 1024;

const word = z.string().max(300);
const named = { customer: word };
const onTheWay = { ...named, step: z.strictObject({ name: word, title: word }).exactOptional() };
/** When it goes on by itself; by the clock of a laptop that may never have been set. */
const again = z.iso.datetime().exactOptional();
/** Without what the log has of it: everybody may read this. */
const why = z.strictObject({ code: errorCode, hint: z.string().max(1000).exactOptional() });

/** How a claim stands, for whoever is in front of the laptop. Nothing in it is a secret. */
export const claimStand = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('working'), ...onTheWay }),
  /** For somebody else; with `code`, for an operator, who compares these six digits. */
  z.strictObject({
    ...{ state: z.literal('waits'), ...onTheWay, for: word, again },
    code: z
      .string()
      .regex(/^\d{6}$/u)
      .exactOptional(),
  }),
  /** Something is in the way, and it is tried again. */
  z.strictObject({ state: z.literal('retries'), ...onTheWay, error: why, again }),
  /** It has ended, and only the next start of the laptop tries again. Without a customer where the token cannot be read. */
  z.strictObject({ state: z.literal('refused'), customer: word.exactOptional(), error: why }),
  z.strictObject({ state: z.literal('claimed'), ...named }),
]);
export type ClaimStand = z.output<typeof claimStand>;
export type StandError = z.output<typeof why>;

export function standError({ code, hint }: KiwiError): StandError {
  const entry: ErrorEntry = ERROR_CODES[code];
  return hint === entry.hint ? { code } : { code, hint: hint.slice(0, 1000) };
}

/** The error again, with the sentences of the reader's own table. */
export const fromStandError = ({ code, hint }: StandError): KiwiError =>
  new KiwiError(code, hint === undefined ? {} : { hint });

/**
 * Reads what the claim says.
 * @param owner whose file and folder it has to be: root's
 * @returns undefined where there is none
 * @throws KiwiError `agent-untrusted` if somebody else could have put it there; `state-damaged`, `agent-answer-invalid`
 */
export async function readClaimStand(file = CLAIM_STAND, owner = 0): Promise<ClaimStand | undefined> {
  try {
    const folder = path.dirname(file);
    const stat = await lstat(folder);
    if (!stat.isDirectory() || stat.uid !== owner || (stat.mode & 0o022) !== 0) {
      throw new KiwiError('agent-untrusted', { detail: folder });
    }
    // Nobody else can put a file or a link there, so what is there belongs to its owner.
    const bytes = await readCappedFile(file, { maxBytes: MAX_BYTES });
    return claimStand.parse(parseStrictJson(bytes, MAX_BYTES));
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof KiwiError) throw error;
    throw new KiwiError('agent-answer-invalid', { detail: 'how the claim stands', cause: error });
  }
}
