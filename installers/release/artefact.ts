import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

/** A file that was made, to be given to people. */
export interface Artefact {
  readonly file: string;
  /** What vouches for it, in words. */
  readonly signature: string;
  /** What else people must know of it before they give it to anybody. */
  readonly remarks?: readonly string[];
}

/** What is to be said of a package with the agent that pins these roots, or none. */
export function pinningRemarks(mspRoots: string | undefined): readonly string[] {
  return mspRoots === undefined ? ["Without the provider's roots: whoever enrolls has to give --msp-roots."] : [];
}

/** Something that was asked for and cannot be made on this machine. */
export interface NotMade {
  readonly what: string;
  readonly why: string;
}

export interface Made {
  readonly artefacts: readonly Artefact[];
  readonly notMade: readonly NotMade[];
}

export interface FileFacts {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export async function factsOf(file: string): Promise<FileFacts> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return { bytes: (await stat(file)).size, sha256: hash.digest('hex') };
}
