/** How many sessions may be open that nobody has proven anything for. */
export interface SessionLimits {
  readonly total: number;
  /** Of one client address. */
  readonly perRemote: number;
}

export interface SessionRefusal {
  readonly refused: 'too-many-requests';
  readonly why: string;
}

/** Whether one more session may be opened beside those that are open. */
export function limitSessions(
  open: { readonly inAll: number; readonly ofRemote: number },
  limits: SessionLimits,
): SessionRefusal | undefined {
  if (open.inAll >= limits.total) return { refused: 'too-many-requests', why: 'live sessions in all' };
  if (open.ofRemote >= limits.perRemote) return { refused: 'too-many-requests', why: 'live sessions of this address' };
  return undefined;
}
