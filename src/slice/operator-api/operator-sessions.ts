import type { KeyObject } from 'node:crypto';

import { CLOCK_WINDOW_MS } from '../../protocol/common.ts';

export interface OpenChallenge {
  readonly id: string;
  /** SHA-256 of the compact JWS. */
  readonly hash: string;
  readonly sessionKeyThumbprint: string;
  readonly expiresAt: number;
}

export interface OperatorSession {
  readonly id: string;
  /** The YubiKey that signed in. */
  readonly kid: string;
  /** Whom its certificate named then: whose a request is that is refused before it is known who that is now. */
  readonly name: string;
  readonly key: KeyObject;
  readonly thumbprint: string;
  readonly expiresAt: number;
}

/** So many at once; the oldest ones go first. */
const MOST = { challenges: 200, sessions: 200 };
/** In ten minutes, at the rate that the API allows one address. */
const MOST_NONCES = 50_000;

/**
 * Who is signed in, in memory: after a restart of the slice everybody signs in again, and there is nothing that could be replayed.
 * Times are milliseconds since 1970.
 */
export class OperatorSessions {
  readonly #challenges = new Map<string, OpenChallenge>();
  readonly #sessions = new Map<string, { readonly session: OperatorSession; readonly nonces: Map<string, number> }>();

  addChallenge(challenge: OpenChallenge): void {
    dropOldest(this.#challenges, MOST.challenges - 1);
    this.#challenges.set(challenge.id, challenge);
  }

  /** Each is taken once. */
  takeChallenge(id: string, now: number): OpenChallenge | undefined {
    const challenge = this.#challenges.get(id);
    this.#challenges.delete(id);
    return challenge !== undefined && challenge.expiresAt > now ? challenge : undefined;
  }

  add(session: OperatorSession): void {
    dropOldest(this.#sessions, MOST.sessions - 1);
    this.#sessions.set(session.id, { session, nonces: new Map() });
  }

  find(id: string, now: number): OperatorSession | undefined {
    const session = this.#sessions.get(id)?.session;
    if (session === undefined || session.expiresAt > now) return session;
    this.end(id);
    return undefined;
  }

  end(id: string): void {
    this.#sessions.delete(id);
  }

  /** @returns false for a nonce that was taken before, for as long as its request could be sent again */
  takeNonce(sessionId: string, nonce: string, now: number): boolean {
    const nonces = this.#sessions.get(sessionId)?.nonces;
    if (nonces === undefined || nonces.has(nonce)) return false;
    for (const [old, until] of nonces) {
      if (until > now) break;
      nonces.delete(old);
    }
    // None is forgotten early: rather nothing more is taken.
    if (nonces.size >= MOST_NONCES) return false;
    // A timestamp may be a window ahead, and is good for another one.
    nonces.set(nonce, now + 2 * CLOCK_WINDOW_MS);
    return true;
  }
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  for (const id of map.keys()) {
    if (map.size <= most) return;
    map.delete(id);
  }
}
