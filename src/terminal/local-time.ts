const two = (number: number): string => String(number).padStart(2, '0');

/** A moment for a person: this laptop's time, to the minute. Programs get RFC 3339 in UTC. */
export function localTime(moment: string): string {
  const at = new Date(moment);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
