import { well, type Check } from './check.ts';

/** Here will be what an organisation sets up for signing in to this laptop; what others have set up is not ours to judge. */
export const signIn: Check = {
  code: 'sign-in',
  severity: 'warning',
  what: 'What kiwistack-enroll has set up for signing in to this laptop works.',
  matters: 'People cannot sign in with the account of their organisation.',
  dependsOn: [],
  run: () => Promise.resolve(well('kiwistack-enroll has set up nothing for it')),
};
