import { z } from 'zod';

import type { Desk } from './desk.ts';

/** As long as the one-time password that a touch by accident types, so that the page can be told of it. */
const MAX_PIN_LENGTH = 64;

/** What the page may call, with the form of its arguments. Anything else is refused. */
export const FUNCTIONS = {
  enroll: z.tuple([]),
  cancel: z.tuple([]),
  enterPin: z.tuple([z.string().min(1).max(MAX_PIN_LENGTH)]),
  chooseKey: z.tuple([z.int().min(1).max(0xffffffff)]),
  refresh: z.tuple([]),
  renew: z.tuple([]),
  leave: z.tuple([]),
  repair: z.tuple([]),
  report: z.tuple([]),
  sendReport: z.tuple([]),
  saveReport: z.tuple([]),
  copy: z.tuple([z.string().max(10_000)]),
  openLink: z.tuple([z.int().min(0).max(100)]),
} as const;
export type FunctionName = keyof typeof FUNCTIONS;

/** @returns false when the page called what it may not, or with what it may not */
export function callFunction(
  { desk, copy }: { readonly desk: Desk; readonly copy: (text: string) => void },
  name: unknown,
  args: unknown,
): boolean {
  if (typeof name !== 'string' || !Object.hasOwn(FUNCTIONS, name)) return false;
  const known = name as FunctionName;
  const parsed = FUNCTIONS[known].safeParse(args);
  if (!parsed.success) return false;
  const [first] = parsed.data;
  switch (known) {
    case 'enterPin':
      desk.enterPin(String(first));
      return true;
    case 'chooseKey':
      desk.chooseKey(Number(first));
      return true;
    case 'openLink':
      desk.openLink(Number(first));
      return true;
    case 'copy':
      copy(String(first));
      return true;
    case 'cancel':
    case 'sendReport':
      desk[known]();
      return true;
    default:
      void desk[known]();
      return true;
  }
}
