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
  tunnelByApp: z.tuple([]),
  tunnelByDaemon: z.tuple([]),
  copy: z.tuple([z.string().max(10_000)]),
  openLink: z.tuple([z.int().min(0).max(100)]),
  toLogin: z.tuple([]),
} as const;
export type FunctionName = keyof typeof FUNCTIONS;

/** What is behind the functions: a person's desk, or the first start of a laptop, at which nobody is logged in. */
export type Behind =
  | { readonly desk: Desk; readonly copy: (text: string) => void }
  /** Ends the window. */
  | { readonly toLogin: () => void };

/** @returns false when the page called what it may not, or with what it may not, or what this window does not have */
export function callFunction(behind: Behind, name: unknown, args: unknown): boolean {
  if (typeof name !== 'string' || !Object.hasOwn(FUNCTIONS, name)) return false;
  const known = name as FunctionName;
  const parsed = FUNCTIONS[known].safeParse(args);
  if (!parsed.success) return false;
  if ('toLogin' in behind) {
    if (known === 'toLogin') behind.toLogin();
    return known === 'toLogin';
  }
  const { desk, copy } = behind;
  const [first] = parsed.data;
  switch (known) {
    case 'toLogin':
      return false;
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
