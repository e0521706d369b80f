import { toKiwiError, type KiwiError } from '../../core/errors.ts';
import type { RecordFile } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';

/**
 * Has every program that works with the device certificate use the newest one. Which ones do is in the record beside the number, so
 * that one that failed, or a run that was cut off in between, is made up for by the next run.
 *
 * @returns those that were told, with the reason where it failed
 */
export async function tellConsumers(
  { platform, log }: LaptopContext,
  file: RecordFile,
): Promise<readonly { readonly consumer: string; readonly error?: KiwiError }[]> {
  const record = await file.load();
  const { device, slug } = record ?? {};
  const certificate = device?.certificate;
  if (record?.state !== 'active' || device === undefined || certificate === undefined || slug === undefined) return [];
  const path = platform.certificates.paths(slug).certificate;
  const told = new Set(certificate.told);
  const outcomes: { consumer: string; error?: KiwiError }[] = [];
  for (const consumer of platform.consumers) {
    const { name } = consumer;
    try {
      if (told.has(name) || !(await consumer.uses(path))) continue;
      await consumer.renew(path);
      told.add(name);
      outcomes.push({ consumer: name });
    } catch (thrown) {
      const error = toKiwiError(thrown);
      log?.write('warning', 'certificate-not-taken', { consumer: name, code: error.code });
      outcomes.push({ consumer: name, error });
    }
  }
  if (told.size > (certificate.told?.length ?? 0)) {
    await file.save({ ...record, device: { ...device, certificate: { ...certificate, told: [...told] } } });
  }
  return outcomes;
}
