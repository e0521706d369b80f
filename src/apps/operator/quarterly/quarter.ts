import { InvalidArgumentError } from 'commander';

/** A quarter of a year, in UTC. */
export interface Quarter {
  /** `2026-Q4` */
  readonly name: string;
  /** Milliseconds since 1970; `to` is the first moment of the next one. */
  readonly from: number;
  readonly to: number;
}

/** The value of `--quarter`: one that has begun. @throws InvalidArgumentError */
export function parseQuarter(text: string): Quarter {
  const [, year = '', number = ''] = /^(20\d\d)-?[Qq]([1-4])$/u.exec(text) ?? [];
  if (year === '') throw new InvalidArgumentError('Not a quarter: 2026-Q4.');
  const month = (Number(number) - 1) * 3;
  const [from, to] = [Date.UTC(Number(year), month), Date.UTC(Number(year), month + 3)];
  if (from > Date.now()) throw new InvalidArgumentError('It has not begun yet.');
  return { name: `${year}-Q${number}`, from, to };
}
