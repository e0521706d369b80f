import { isErrorCode } from '../../core/error-codes.ts';

/** The forms of what may leave. Each can hold little else than what it is meant for. */
export const FORM = {
  time: /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2})/,
  uuid: /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/,
  code: (text: string): boolean => isErrorCode(text),
  version: /[0-9]{1,5}(?:\.[0-9]{1,5}){0,3}(?:[-+~][a-z0-9.]{1,30})?/,
  slug: /[a-z][a-z0-9-]{0,30}[a-z0-9]/,
  label: /[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/,
  /** Without a user, a password, a path or a query. */
  url: /https:\/\/[a-z0-9.-]{1,253}(?::\d{1,5})?\/?/,
  cidr: /\d{1,3}(?:\.\d{1,3}){3}\/\d{1,2}/,
  ipv4: /\d{1,3}(?:\.\d{1,3}){3}/,
  endpoint: /[a-z0-9.-]{1,253}:\d{1,5}/,
} as const;
