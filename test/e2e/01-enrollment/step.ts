import { describe, test } from 'vitest';

import type { Customer, Seat, SeatOptions } from './customer.ts';

/** A test that runs after the one before it, while others go on beside it. */
export function step(name: string, play: () => Promise<void>): void {
  test(name, { concurrent: false }, play);
}

type Step = typeof step;
type TakeSeat = (name: string, options?: SeatOptions) => Promise<Seat>;

/**
 * Steps that build on one another, while other stories go on beside them. One failure is one failure: after it the rest of its story is
 * left out, which is said, and what the story enrolled is ended, so that nobody else hears of it.
 */
export function story(name: string, getCustomer: () => Customer, tell: (step: Step, seat: TakeSeat) => void): void {
  describe(name, { concurrent: true }, () => {
    const seats: Seat[] = [];
    let failed: string | undefined;
    const takeSeat: TakeSeat = async (who, options) => {
      const seat = await getCustomer().seat(who, options);
      seats.push(seat);
      return seat;
    };
    const nextStep: Step = (title, play) => {
      test(title, { concurrent: false }, async ({ skip }) => {
        if (failed !== undefined) skip(`it builds on "${failed}", which failed`);
        try {
          await play();
        } catch (error) {
          failed = title;
          await Promise.all(seats.map((seat) => getCustomer().abandon(seat)));
          throw error;
        }
      });
    };
    tell(nextStep, takeSeat);
  });
}
