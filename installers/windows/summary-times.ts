/** FMTID_SummaryInformation, {F29F85E0-4FF9-1068-AB91-08002B27B3D9}, as it is written. */
const FORMAT = Buffer.from('e0859ff2f94f6810ab9108002b27b3d9', 'hex');
/** Properties of the summary that are times (MS-OLEPS, section 3.1): last printed, created, last saved. */
const TIMES = new Set([11, 12, 13]);
const VT_FILETIME = 64;
const MOST_PROPERTIES = 64;

/**
 * Sets the times in a package's summary, where msitools writes those of the moment, so that the same files give the same bytes.
 * @throws TypeError for what has no summary
 */
export function setSummaryTimes(msi: Buffer, epochSeconds: number): Buffer {
  const found = msi.indexOf(FORMAT);
  if (found < 0) throw new TypeError('no summary');
  // The set begins 28 bytes before its format; after the format is how far from there its section is.
  const section = found - 28 + msi.readUInt32LE(found + FORMAT.length);
  const count = msi.readUInt32LE(section + 4);
  if (count > MOST_PROPERTIES) throw new TypeError('too many properties');
  const changed = Buffer.from(msi);
  for (let index = 0; index < count; index += 1) {
    const entry = section + 8 + index * 8;
    const value = section + msi.readUInt32LE(entry + 4);
    if (!TIMES.has(msi.readUInt32LE(entry)) || msi.readUInt32LE(value) !== VT_FILETIME) continue;
    changed.writeBigUInt64LE(fileTime(epochSeconds), value + 4);
  }
  return changed;
}

/** Windows counts tenths of a microsecond since 1601. */
function fileTime(epochSeconds: number): bigint {
  return (BigInt(epochSeconds) + 11_644_473_600n) * 10_000_000n;
}
