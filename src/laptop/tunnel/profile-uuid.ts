import { sha256 } from '../../core/bytes.ts';

/**
 * The UUID of the NetworkManager profile of a tunnel (RFC 9562, version 8): always the same for an interface, so that a profile is
 * known as ours also after NetworkManager has rewritten the file, which loses our comment.
 */
export function profileUuid(interfaceName: string): string {
  const bytes = sha256(`kiwistack-enroll tunnel profile ${interfaceName}`).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/u, '$1-$2-$3-$4-$5');
}
