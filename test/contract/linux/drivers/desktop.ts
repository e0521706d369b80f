import { linuxPlatform } from '../../../../platform/linux/index.ts';
import type { DesktopSession, Notice } from '../../../../src/laptop/system/desktop.ts';
import { answerCall } from './read-call.ts';

const { desktop } = linuxPlatform();

type Call =
  | { readonly verb: 'sessions' }
  | { readonly verb: 'show'; readonly session: DesktopSession; readonly notice: Notice }
  | { readonly verb: 'close'; readonly session: DesktopSession; readonly notice: number };

await answerCall(async (call: Call): Promise<unknown> => {
  switch (call.verb) {
    case 'sessions':
      return desktop.sessions();
    case 'show':
      return desktop.show(call.session, call.notice);
    case 'close':
      return desktop.close(call.session, call.notice);
  }
});
