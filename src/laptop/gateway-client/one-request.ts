/** One request and the form that its answer must have. */
export interface Exchange {
  /** For the log. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array | string;
  readonly type?: string;
  readonly accept: string;
  readonly maxBytes: number;
  /** Neither it nor its answer holds a secret, and both are signed. */
  readonly public?: boolean;
  readonly retries?: number | undefined;
  readonly patienceMs?: number | undefined;
}

export interface Answer {
  readonly text: string;
  readonly http: number;
  /** The gateway's; undefined where something before it took that away. */
  readonly requestId: string | undefined;
}
