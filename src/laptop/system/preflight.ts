/**
 * Whether this machine can be enrolled at all. `check` changes nothing and throws the first reason against it:
 * `not-root`, `read-only-file-system`, `disk-full`, `clock-unset`, `tool-missing` (its detail names all that are missing),
 * `trust-store-failed`, `unsupported-system`.
 */
export interface Preflight {
  check(): Promise<void>;
}
