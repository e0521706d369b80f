/** Limits for open sessions, which cost the client no proof of anything. */
export interface SessionLimits {
  readonly total: number;
  /** For one client address. */
  readonly perRemote: number;
}

export interface SessionRefusal {
  readonly refused: 'too-many-requests';
  readonly why: string;
}

/** Whether one more session may be opened. */
export function limitSessions(
  open: { readonly inAll: number; readonly ofRemote: number },
  limits: SessionLimits,
): SessionRefusal | undefined {
  if (open.inAll >= limits.total) return { refused: 'too-many-requests', why: 'live sessions in all' };
  if (open.ofRemote >= limits.perRemote) return { refused: 'too-many-requests', why: 'live sessions of this address' };
  return undefined;
}
