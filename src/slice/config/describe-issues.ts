import type { z } from 'zod';

/** Which fields of a file are wrong and how, for whoever wrote it; never their values. */
export function describeIssues({ issues }: z.ZodError): string {
  return issues.slice(0, 5).map(describe).join('; ');
}

function describe(issue: z.core.$ZodIssue): string {
  const field = issue.path.join('.');
  const name = field === '' ? 'the file' : field;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => `${field === '' ? key : `${field}.${key}`} is not known`).join('; ');
    case 'invalid_type':
      return `${name} must be ${TYPES[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return `${name} must ${UNITS[issue.origin] ?? 'be'} at least ${issue.minimum}`;
    case 'too_big':
      return `${name} must ${UNITS[issue.origin] ?? 'be'} at most ${issue.maximum}`;
    default:
      return `${name} is not valid`;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

/** What has a size that is counted. */
const UNITS: Readonly<Record<string, string>> = { string: 'have a length of', array: 'have a length of' };
