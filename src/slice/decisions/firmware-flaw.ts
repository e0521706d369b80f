/** Why a YubiKey's firmware is not what the slice asks for; undefined when it is. Both are three numbers with dots. */
export function firmwareFlaw(firmware: string, minimum: string): string | undefined {
  const [left, right] = [firmware, minimum].map((text) => text.split('.').map(Number));
  for (const [index, part] of (right ?? []).entries()) {
    const difference = (left?.[index] ?? 0) - part;
    if (difference > 0) return undefined;
    if (difference < 0) return `firmware ${firmware}, and ${minimum} or later is asked for`;
  }
  return undefined;
}
