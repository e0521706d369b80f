/**
 * Printable text of at most `maxLength` UTF-16 code units: control and format characters and every run of blanks become one blank, none is at
 * either end. This is how the statement's host describes itself, and how the slice reads the same texts from Fleet before it
 * compares the two: firmware has serial numbers with several blanks, at the ends too, with control characters and of 255
 * bytes, and osquery reports them as they are, without the blanks at the end.
 */
export function oneLine(raw: string, maxLength: number): string {
  return raw
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, maxLength)
    .toWellFormed()
    .trim();
}
