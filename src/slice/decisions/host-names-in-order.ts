/**
 * The requested name, then the names to try when it is taken: with a suffix of four hex digits from the device's id.
 */
export function* hostNamesInOrder(asked: string, deviceId: string): Generator<string> {
  yield asked;
  // A DNS label has at most 63 characters; the suffix needs five.
  const stem = asked.slice(0, 58).replace(/-+$/, '');
  for (const suffix of deviceId.replaceAll('-', '').match(/.{4}/g) ?? []) yield `${stem}-${suffix}`;
}
