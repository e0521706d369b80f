import type { KeyState } from '../key/state.ts';

/** What the application forgets when the key loses power. */
export interface Session {
  pinVerified: boolean;
  /** The PIN was verified by the command just before this one: what PIN policy "always" asks for. */
  pinFresh: boolean;
  managementVerified: boolean;
  /** Half-finished authentication of the management key. */
  pendingAuthentication: { readonly kind: 'witness' | 'challenge'; readonly bytes: Buffer } | undefined;
  /** Milliseconds (monotonic) until which a cached touch counts. */
  touchCachedUntil: number;
}

/** A session that has just got power. */
export function newSession(): Session {
  return {
    pinVerified: false,
    pinFresh: false,
    managementVerified: false,
    pendingAuthentication: undefined,
    touchCachedUntil: 0,
  };
}

/** What an instruction works on. */
export interface PivContext {
  readonly state: KeyState;
  readonly session: Session;
  /** Makes changes of `state` durable; called before the answer leaves, as the card writes its flash. */
  readonly save: () => void;
  /** Blinks until touched; false when nobody did in time. */
  readonly waitForTouch: () => Promise<boolean>;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}
