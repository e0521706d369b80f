/** The name asked for, then the names with a suffix of four hex digits of the device's id that it may have when that is taken. */
export function* hostNamesInOrder(asked: string, deviceId: string): Generator<string> {
  yield asked;
  // A DNS label has at most 63 characters; the suffix takes five.
  const stem = asked.slice(0, 58).replace(/-+$/, '');
  for (const suffix of deviceId.replaceAll('-', '').match(/.{4}/g) ?? []) yield `${stem}-${suffix}`;
}
