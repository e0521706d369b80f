import { KiwiError } from '../../../core/errors.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Method<A extends unknown[], R> = (...args: A) => Promise<R>;

/**
 * How a method of the registry runs. Every method is defined with one of these; one that is not returns no promise,
 * which the port's type rejects.
 */
export interface MethodMakers {
  /** Changes nothing. */
  readonly read: <A extends unknown[], R>(work: (...args: A) => R) => Method<A, R>;
  /**
   * One transaction that a power failure may undo, for what only we need: an unknown session is refused, and a
   * reservation without its grant never took effect.
   */
  readonly write: <A extends unknown[], R>(work: (...args: A) => R) => Method<A, R>;
  /** One transaction that is on disk when the promise resolves, because somebody is told about it. */
  readonly writeDurably: <A extends unknown[], R>(work: (...args: A) => R) => Method<A, R>;
}

export function methodMakers(db: SqliteDatabase): MethodMakers {
  return {
    read:
      (work) =>
      (...args) =>
        available(() => Promise.resolve(work(...args))),
    write:
      (work) =>
      (...args) =>
        available(() => db.write(() => work(...args))),
    writeDurably:
      (work) =>
      (...args) =>
        available(async () => {
          const result = await db.write(() => work(...args));
          await db.durable();
          return result;
        }),
  };
}

/**
 * Results of SQLite for a registry that may work again later: locked by another process, no access, no memory, the file
 * system read-only or failing, the disk full (sqlite.org/rescode.html: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL,
 * CANTOPEN, PROTOCOL). The low byte is the primary code.
 */
const MAY_PASS: readonly number[] = [5, 6, 7, 8, 10, 13, 14, 15];

/** @throws KiwiError `registry-unavailable` when it is not our request that the database refuses */
async function available<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const sqlite = error instanceof Error && 'errcode' in error && MAY_PASS.includes(Number(error.errcode) & 0xff);
    // A sync of its log fails with the system's code.
    const system = error instanceof Error && 'syscall' in error && error.syscall === 'fdatasync';
    if (error instanceof Error && (sqlite || system)) {
      throw new KiwiError('registry-unavailable', { detail: `registry: ${error.message}`, cause: error });
    }
    throw error;
  }
}
