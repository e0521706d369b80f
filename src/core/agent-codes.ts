import { entry } from './error-entry.ts';

/** Errors of the agent on a laptop, and of those who ask it. */
export const AGENT_CODES = {
  'not-authorised': entry(
    'person',
    'You are not allowed to do this on this laptop.',
    'Ask an administrator of this laptop, or run the command again with sudo.',
  ),
  'agent-unavailable': entry(
    'fault',
    'The agent of this laptop does not answer.',
    'Look at `systemctl status kiwistack-agent.socket`, or run the command again with sudo: then it does without the agent.',
    { retryable: true },
  ),
  'agent-untrusted': entry(
    'machine',
    'The socket of the agent does not belong to root.',
    'Somebody else may listen there. Do not enter a PIN; ask an administrator of this laptop to look at the file that the details name.',
  ),
  'agent-busy': entry('fault', 'The agent has too many callers.', 'Try again in a minute.', { retryable: true }),
  'agent-lost': entry(
    'fault',
    'The agent ended before it had answered.',
    'Run the command again: it resumes, or undoes, what was begun. `journalctl -u kiwistack-agent` says why the agent ended.',
    { retryable: true },
  ),
  'agent-answer-invalid': entry(
    'fault',
    'A message of the agent, or to it, is not valid.',
    'Run the command again. If the package was just upgraded, that is enough; otherwise reinstall it.',
  ),
  'lent-key-misused': entry(
    'refused',
    'What was to be signed is not an enrollment of this laptop that the YubiKey is for.',
    'Nothing was signed. Ask an administrator of this laptop to reinstall the package, and enroll again.',
  ),
} as const;
