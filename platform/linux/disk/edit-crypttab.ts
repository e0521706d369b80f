/** A volume as crypttab(5) may name it. */
export interface CrypttabVolume {
  readonly uuid: string;
  /** The path of its device. */
  readonly device: string;
}

/**
 * crypttab(5) with the TPM as what opens a volume at boot, instead of a key file. A key file that stands beside `tpm2-device=` would be taken
 * for a key that the TPM has sealed (systemd 252).
 * @returns the same text when the volume is not in it, or is opened by the TPM already
 */
export function crypttabWithTpm(text: string, volume: CrypttabVolume): string {
  return text
    .split('\n')
    .map((line) => (namesVolume(line, volume) ? withTpm(line) : line))
    .join('\n');
}

function namesVolume(line: string, { uuid, device }: CrypttabVolume): boolean {
  if (/^\s*(?:#|$)/u.test(line)) return false;
  const [, named = ''] = line.trim().split(/\s+/u);
  const plain = named.replaceAll('"', '');
  return plain.toLowerCase() === `uuid=${uuid}` || plain === `/dev/disk/by-uuid/${uuid}` || plain === device;
}

function withTpm(line: string): string {
  const [name = '', device = '', , given = ''] = line.trim().split(/\s+/u);
  const options = given
    .split(',')
    .filter((option) => option !== '' && option !== 'none' && !/^(?:keyfile-|tpm2-device=|keyscript=)/u.test(option));
  return [name, device, 'none', [...options, 'tpm2-device=auto'].join(',')].join(' ');
}
