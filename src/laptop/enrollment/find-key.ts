import { KiwiError } from '../../core/errors.ts';
import type { EnrollmentKey, Token } from '../../token/token.ts';
import type { EnrollmentOptions } from './enrollment-run.ts';

/** Waits for the person's YubiKey, and says what is in the way. @throws KiwiError as `Token.find` */
export function findKey(
  options: Pick<EnrollmentOptions, 'person' | 'yubikeySerial' | 'waitForKeyMs' | 'signal'>,
  token: Token,
): Promise<EnrollmentKey> {
  const { person, yubikeySerial, waitForKeyMs, signal } = options;
  return token.find({
    ...(yubikeySerial === undefined ? {} : { serial: yubikeySerial }),
    ...(waitForKeyMs === undefined ? {} : { waitMs: waitForKeyMs }),
    events: {
      waitingForKey: (why) => {
        person.waitingForKey(why);
      },
      ...(person.chooseKey === undefined
        ? {}
        : { several: (keys) => person.chooseKey?.(keys) ?? Promise.reject(new KiwiError('key-several')) }),
    },
    signal,
  });
}
