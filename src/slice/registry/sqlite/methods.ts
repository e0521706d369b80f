import type { SqliteDatabase } from './sqlite-database.ts';

type Method<A extends unknown[], R> = (...args: A) => Promise<R>;

/**
 * How a method of the registry is carried out. Each of them says it where it is defined: one that does not returns no promise, which
 * the port does not take.
 */
export interface MethodMakers {
  /** Changes nothing. */
  readonly read: <A extends unknown[], R>(work: (...args: A) => R) => Method<A, R>;
  /**
   * One transaction that may be lost with the power, for what is only of use to us: a session that nobody knows is refused, a reservation
   * without its grant never was.
   */
  readonly write: <A extends unknown[], R>(work: (...args: A) => R) => Method<A, R>;
  /** One transaction that is on the disk when the promise resolves: somebody is told of it. */
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
