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
        new Promise((resolve) => {
          resolve(work(...args));
        }),
    write:
      (work) =>
      (...args) =>
        db.write(() => work(...args)),
    writeDurably:
      (work) =>
      async (...args) => {
        const result = await db.write(() => work(...args));
        await db.durable();
        return result;
      },
  };
}
