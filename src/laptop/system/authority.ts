/** A process that asks for something, as the kernel knows it. */
export interface Caller {
  readonly pid: number;
  readonly uid: number;
}

/**
 * What lets people do things on this system without being root (polkit). Obligations of an implementation:
 * - `allows` asks the person if the system's policy says so, which may take as long as they like; an abort ends it.
 * - the caller is judged by the user id given, and never by one that its process has taken on since.
 * - where there is no such authority, or it fails, nothing is allowed.
 */
export interface Authority {
  allows(caller: Caller, permission: string, signal?: AbortSignal): Promise<boolean>;
}
