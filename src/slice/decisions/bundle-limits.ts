/**
 * What a slice takes of support bundles. Constants rather than settings: they only have to keep one laptop from filling the registry, of
 * which backups are made, and no customer needs others to be helped.
 */
export const BUNDLES = {
  /** So that "before" and "after" are there, and one of the day before. The oldest one gives way: the newest tells most. */
  perDevice: 3,
  /** As long as helping somebody takes. A bundle says much about a laptop, so it does not stay for ever. */
  days: 30,
  /** Of one device, at one gateway: a person who tries again and again, with every repetition of a lost answer. */
  rate: { burst: 6, perSecond: 4 / 3600 },
} as const;
