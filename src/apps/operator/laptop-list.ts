import { CertificateError, parseCertificate } from '../../pki/certificate.ts';
import { sha256 } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { printable } from '../../core/log.ts';
import { uuid as uuidForm } from '../../protocol/common.ts';
import { COMPONENT_LENGTH } from '../../protocol/component-text.ts';
import { readCsvList } from './read-csv-list.ts';

/** A laptop of a delivery, as its OEM lists it. */
export interface ListedLaptop {
  readonly serial: string;
  readonly uuid: string | null;
  readonly model: string | null;
  /** SHA-256 of its TPM's endorsement key, hex. */
  readonly endorsement: string | null;
}

/** Ten thousand laptops with their certificates. */
const MAX_BYTES = 32 << 20;
const MAX_MODEL = 100;

/**
 * Reads an OEM's list: CSV with the column serial, and perhaps uuid, model, and ek_certificate (the certificate of the RSA endorsement key
 * of the laptop's TPM, DER in base64, or PEM without its line breaks).
 * @throws KiwiError `file-unusable`, naming the line
 */
export async function readLaptopList(file: string): Promise<ListedLaptop[]> {
  const columns = { required: ['serial'], optional: ['uuid', 'model', 'ek_certificate'] };
  const { rows, refuse } = await readCsvList(file, columns, MAX_BYTES);
  const laptops = rows.map(({ line, field }) => {
    const [serial, uuid, model] = [field('serial'), field('uuid').toLowerCase(), field('model')];
    if (
      serial === '' ||
      serial.length > COMPONENT_LENGTH ||
      printable(serial) !== serial ||
      /[/\\]|^\./u.test(serial)
    ) {
      throw refuse(`line ${line}: ${printable(serial)} is no serial number`);
    }
    if (uuid !== '' && !uuidForm.safeParse(uuid).success) throw refuse(`line ${line}: ${printable(uuid)} is no UUID`);
    if (model.length > MAX_MODEL || printable(model) !== model) throw refuse(`line ${line}: the model is no text`);
    const certificate = field('ek_certificate');
    return {
      ...{ serial, uuid: uuid || null, model: model || null },
      endorsement: certificate === '' ? null : endorsementIn(certificate, () => refuse(`line ${line}: no certificate`)),
    };
  });
  if (laptops.length === 0) throw refuse('lists no laptop');
  const seen = new Set<string>();
  for (const { serial } of laptops) {
    if (seen.has(serial.toLowerCase())) throw refuse(`lists ${serial} twice`);
    seen.add(serial.toLowerCase());
  }
  return laptops;
}

function endorsementIn(text: string, refuse: () => KiwiError): string {
  const bare = text.replace(/-----(?:BEGIN|END) CERTIFICATE-----/gu, '').replaceAll(/\s/gu, '');
  try {
    return sha256(parseCertificate(Buffer.from(bare, 'base64')).spki).toString('hex');
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    throw refuse();
  }
}
