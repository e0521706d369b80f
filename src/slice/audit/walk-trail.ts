import { auditLink, FIRST_LINK } from '../registry/audit-link.ts';
import type { AuditRecord } from '../registry/registry.ts';
import type { Checkpoint } from './checkpoint.ts';

/** Where a trail is not what was recorded. */
export interface TrailFault {
  /** Number of the first record from which on it is so. */
  readonly record: number;
  readonly what: string;
}

export interface Trail {
  /** Number of the last record. */
  readonly records: number;
  readonly link: string;
  /** The first fault that nobody has accepted, and the first that an operator has. */
  readonly fault?: TrailFault;
  readonly acceptedFault?: TrailFault;
  /** The link that the last record would have if each were linked to those before it as they are now. */
  readonly relinked: string;
}

/** From where a walk goes on: what is before is not looked at again, nor what was accepted. */
export type Reached = Pick<Trail, 'records' | 'link'>;
export const BEGINNING: Reached = { records: 0, link: FIRST_LINK };

export interface Seals {
  /** The last checkpoint of this trail; it says what an operator has accepted. */
  readonly last?: Checkpoint | undefined;
  /** Others that it must lead through whatever was accepted: of an export. */
  readonly others?: readonly Checkpoint[];
}

/** Follows the trail to its end, and compares it with checkpoints. Finds that a record was changed, removed, added or moved. */
export async function walkTrail(
  records: AsyncIterable<AuditRecord> | Iterable<AuditRecord>,
  { last, others = [] }: Seals = {},
  from: Reached = BEGINNING,
): Promise<Trail> {
  const checkpoints = last === undefined ? others : [last, ...others];
  let { records: number, link } = from;
  let relinked = FIRST_LINK;
  const faults: { fault?: TrailFault; acceptedFault?: TrailFault } = {};
  const accepted = last?.accepted ?? { records: 0, link: FIRST_LINK };
  let asAccepted = from !== BEGINNING || accepted.records === 0;
  const found = (record: number, what: string, checkpoint?: Checkpoint): void => {
    const isAccepted = record <= accepted.records && (checkpoint === undefined || checkpoint === last);
    faults[isAccepted ? 'acceptedFault' : 'fault'] ??= { record, what };
  };
  const compare = (): void => {
    for (const checkpoint of checkpoints) {
      if (checkpoint.records !== number || checkpoint.link === link) continue;
      found(number, `record ${number}, or one before it, is not as it was at ${checkpoint.at}`, checkpoint);
    }
  };
  compare();
  for await (const record of records) {
    if (record.id !== number + 1) found(number + 1, `record ${number + 1} is missing`);
    if (record.link !== auditLink(link, record)) found(record.id, `record ${record.id} was changed, or put there`);
    ({ id: number, link } = record);
    relinked = auditLink(relinked, record);
    if (number === accepted.records && relinked === accepted.link) asAccepted = true;
    compare();
  }
  for (const checkpoint of checkpoints) {
    if (checkpoint.records <= number) continue;
    found(
      checkpoint.records,
      `at ${checkpoint.at} there were ${checkpoint.records} records, now ${number}`,
      checkpoint,
    );
  }
  if (!asAccepted) {
    const what = `one of the first ${accepted.records} records was changed after they had been accepted`;
    faults.fault ??= { record: accepted.records, what };
  }
  return { records: number, link, relinked, ...faults };
}
