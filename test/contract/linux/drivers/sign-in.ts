import { linuxPlatform } from '../../../../platform/linux/index.ts';
import type { SignInSettings } from '../../../../src/laptop/system/sign-in.ts';
import { answerCall } from './read-call.ts';

export type SignInCall =
  | { readonly verb: 'check' | 'remove' | 'restart' | 'status' | 'found' }
  | { readonly verb: 'setUp'; readonly settings: SignInSettings };

await answerCall(async (call: SignInCall) => {
  const { signIn } = linuxPlatform();
  return call.verb === 'setUp' ? signIn.setUp(call.settings) : signIn[call.verb]();
});
