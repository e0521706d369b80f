import { encodeTlv, findTlv, parseTlvs } from '../wire/tlv.ts';

/** Content of a certificate object: 70 certificate, 71 not compressed, FE no error detection code. */
export function certificateObject(certificate: Uint8Array): Buffer {
  return Buffer.concat([encodeTlv(0x70, certificate), encodeTlv(0x71, Buffer.of(0)), encodeTlv(0xfe)]);
}

/** The certificate in such an object, or undefined. */
export function certificateInObject(content: Uint8Array): Buffer | undefined {
  return findTlv(parseTlvs(content), 0x70);
}
