/** What dyld(1) of macOS says, and what it means to whoever installs the library. */
const OF_DYLD: readonly (readonly [RegExp, string])[] = [
  [/incompatible architecture/u, 'it is for another processor'],
  [/code signature|library validation|team ids/iu, 'macOS does not accept its signature'],
];

/**
 * The reason that the system gave for not loading a library, in brackets; '' where there is none that helps. On Windows a number: 126 for a library that it needs
 * and that is not there, 193 for one of 32 bits. On macOS never the whole text, which has paths.
 */
export function whyNotLoaded(error: unknown): string {
  const said = error instanceof Error ? error.message : '';
  const reason = /Win32 error \d+/u.exec(said)?.[0] ?? OF_DYLD.find(([sign]) => sign.test(said))?.[1];
  return reason === undefined ? '' : ` (${reason})`;
}
