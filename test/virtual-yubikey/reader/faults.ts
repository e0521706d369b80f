import { z } from 'zod';

export const faultSchema = z.strictObject({
  /** Happens at the n-th APDU counted from when the fault was set; 1 is the next one. */
  atApdu: z.int().min(1),
  /** Count only APDUs with this INS. Blocks of a chain and GET RESPONSE (C0) are APDUs of their own. */
  ins: z.int().min(0).max(255).optional(),
  /** Count only APDUs to this key. */
  serial: z.int().optional(),
  action: z.enum(['pull', 'status', 'delay']),
  /** For `status`: the status word answered instead of carrying the command out. */
  status: z.int().min(0x6000).max(0x9fff).optional(),
  /** For `delay`: milliseconds before the command is carried out. */
  ms: z.int().min(0).max(600_000).optional(),
  /** For `pull`: carry the command out first, but pull before its answer leaves. */
  afterwards: z.boolean().optional(),
  /** True (default): once. False: at every counted APDU from the n-th on. */
  once: z.boolean().optional(),
});

/** Something that goes wrong at a chosen APDU. */
export type Fault = z.infer<typeof faultSchema>;

/** The faults waiting to happen, in the order they were set. */
export class FaultScript {
  #waiting: { fault: Fault; counted: number }[] = [];

  add(fault: Fault): void {
    if (fault.action === 'status' && fault.status === undefined) throw new TypeError('fault "status" needs status');
    if (fault.action === 'delay' && fault.ms === undefined) throw new TypeError('fault "delay" needs ms');
    this.#waiting.push({ fault, counted: 0 });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** Counts this APDU and returns what happens at it. */
  next(serial: number, apdu: Buffer): Fault[] {
    const due: Fault[] = [];
    this.#waiting = this.#waiting.filter((entry) => {
      const { fault } = entry;
      const counts = (fault.ins ?? apdu[1]) === apdu[1] && (fault.serial ?? serial) === serial;
      if (!counts) return true;
      entry.counted += 1;
      if (entry.counted < fault.atApdu) return true;
      due.push(fault);
      return fault.once === false;
    });
    return due;
  }

  get waiting(): Fault[] {
    return this.#waiting.map((entry) => entry.fault);
  }
}
