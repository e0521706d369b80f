import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The identity that the firmware shows in /sys/class/dmi/id; the fields are named after the files there. */
export interface Dmi {
  readonly product_uuid: string;
  readonly product_serial: string;
  readonly product_name: string;
  readonly product_family: string;
  readonly product_sku: string;
  readonly product_version: string;
  readonly sys_vendor: string;
  readonly board_serial: string;
  readonly board_name: string;
  readonly board_vendor: string;
  readonly board_version: string;
  readonly board_asset_tag: string;
  readonly chassis_serial: string;
  readonly chassis_type: string;
  readonly chassis_vendor: string;
  readonly chassis_version: string;
  readonly chassis_asset_tag: string;
  readonly bios_vendor: string;
  readonly bios_version: string;
  readonly bios_release: string;
  readonly bios_date: string;
}

/** Readable only by root, as in the kernel's drivers/firmware/dmi-id.c. */
const secret = new Set<string>(['product_uuid', 'product_serial', 'board_serial', 'chassis_serial']);

/**
 * A plausible business laptop whose serial numbers are derived from `seed`, so that no two rooms are the same machine.
 */
export function makeDmi(seed: Buffer, changes: Partial<Dmi> = {}): Dmi {
  const hex = seed.toString('hex').toUpperCase().padEnd(64, '0');
  const uuid = hex.toLowerCase();
  return {
    product_uuid: `${uuid.slice(0, 8)}-${uuid.slice(8, 12)}-4${uuid.slice(13, 16)}-a${uuid.slice(17, 20)}-${uuid.slice(20, 32)}`,
    product_serial: `PF${hex.slice(32, 38)}`,
    product_name: '21HMS0AB00',
    product_family: 'ThinkPad X1 Carbon Gen 11',
    product_sku: 'LENOVO_MT_21HM_BU_Think_FM_ThinkPad X1 Carbon Gen 11',
    product_version: 'ThinkPad X1 Carbon Gen 11',
    sys_vendor: 'LENOVO',
    board_serial: `L1HF${hex.slice(38, 45)}`,
    board_name: '21HMS0AB00',
    board_vendor: 'LENOVO',
    board_version: 'SDK0T76461 WIN',
    board_asset_tag: 'Not Available',
    chassis_serial: `PF${hex.slice(45, 51)}`,
    chassis_type: '10',
    chassis_vendor: 'LENOVO',
    chassis_version: 'None',
    chassis_asset_tag: 'No Asset Information',
    bios_vendor: 'LENOVO',
    bios_version: 'N3XET58W (1.33 )',
    bios_release: '1.33',
    bios_date: '06/12/2025',
    ...changes,
  };
}

/** Writes the files of `dmi` below `folder`, which is then mounted over /sys; only root can read the serial numbers. */
export async function writeDmi(folder: string, dmi: Dmi): Promise<void> {
  const id = join(folder, 'class', 'dmi', 'id');
  await mkdir(id, { recursive: true });
  await Promise.all(
    Object.entries(dmi).map(([name, value]: [string, string]) =>
      writeFile(join(id, name), `${value}\n`, { mode: secret.has(name) ? 0o400 : 0o444 }),
    ),
  );
}
