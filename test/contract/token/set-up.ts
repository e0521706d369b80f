import { openWorkbench, type Workbench } from '../virtual-yubikey/workbench.ts';
import { makeEnrollmentKey, type EnrollmentKeyChoice } from './make-enrollment-key.ts';
import { openRemoteToken, type RemoteToken } from './remote-token.ts';

export const SERIAL = 11111111;
export const OTHER = 22222222;
export const PIN = '123456';

export interface Scene {
  readonly bench: Workbench;
  readonly token: RemoteToken;
  /** State files of the keys. */
  readonly files: readonly string[];
  close(): Promise<void>;
}

/** Makes keys, plugs in the first `inserted` of them (default: all), and starts a token beside them. */
export async function setUpScene(
  choices: readonly (EnrollmentKeyChoice & { serial?: number })[] = [{}],
  options: { inserted?: number; touchTimeoutMs?: number } = {},
): Promise<Scene> {
  const { inserted = choices.length, ...reader } = options;
  const places = choices.length > 1 ? 2 : 1;
  const bench = await openWorkbench([], { touch: 'manual', places, ...reader });
  const files: string[] = [];
  for (const { serial = SERIAL, ...choice } of choices) {
    const file = bench.makeKey({ serial });
    await makeEnrollmentKey(file, choice);
    files.push(file);
  }
  for (const file of files.slice(0, inserted)) await bench.sandbox.control.insert(file);
  const token = await openRemoteToken((argv) => bench.sandbox.spawn(argv, { stdio: ['pipe', 'pipe', 'inherit'] }));
  return {
    bench,
    token,
    files,
    close: async () => {
      await token.close();
      await bench.close();
    },
  };
}
