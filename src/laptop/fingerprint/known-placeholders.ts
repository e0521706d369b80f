/**
 * What firmware has in place of a serial number or a UUID: two laptops with one of these would look like one. Data only, in the
 * form that `normaliseComponent` gives a value: lower case, single spaces. It is part of kiwi-fp/1: docs/protocol.md lists it.
 *
 * Sources: the lists of Fleet, Snipe-IT, fwupd and systemd; GLPI (table glpi_blacklists, types 3 and 4); OCS Inventory (its
 * duplicate detection, @bad_serial); FusionInventory (inventorycomputerblacklists); osquery (core/system.cpp,
 * kPlaceholderHardwareUUIDList: it invents a UUID in their place); Elkeid (agent, machine id). The last group was seen on
 * mini-PCs and notebooks, whose makers left what the BIOS vendor's tool had there.
 */
export const PLACEHOLDER_SERIALS: readonly string[] = [
  // Fleet, Snipe-IT, fwupd, systemd
  ...['', '-', '-1', '.', '..', '0', '00', '0123456789', '01234567890123456789', '123456', '12345678', '123456789'],
  ...['1234567890', 'aquarius', 'asset-1234567890', 'base board serial number', 'board serial number'],
  ...['chassis serial number', 'default', 'default string', 'default_string', 'empty', 'fill by oem', 'filled by oem'],
  ...['invalid', 'n/a', 'na', 'no asset information', 'no asset tag', 'no serial number', 'none', 'not applicable'],
  ...['not available', 'not defined', 'not present', 'not set', 'not settable', 'not specified', 'null', 'o.e.m.'],
  ...['oem', 'oem string', 'to be filled', 'to be filled by o.e.m', 'to be filled by o.e.m.', 'to be filled by oem'],
  ...[
    'serial number',
    'serial',
    'sn',
    'string',
    'sys-1234567890',
    'system serial number',
    'system product name',
    'tbd',
  ],
  ...['type2 - board serial number', 'undefined', 'unknown', 'uninitialized', 'unspecified', 'xxxxxxx'],
  // GLPI, OCS Inventory, FusionInventory
  ...['(null string)', '12345', '1234567', '123456789000', '12345678901234567', 'eval', 'iatpass', 'mb-1234567890'],
  ...['oem_serial', 'serial number xxxxxx', 'sn-12345', 'sn-123456fvgv3i0b8o5n6n7k', 'sn-1234567890'],
  ...['sys-9876543210', 'systemserialnumb', 'tulip computers', 'unknow'],
  // Elkeid
  ...['oem not specify', 't.b.d'],
  // seen on machines
  ...['0123456789abcdef', '123456789012', '<bad index>', 'bad index', 'defaultstring', 'nb-1234567890', 'no enclosure'],
  ...['not provided', 'oem default string', 'product serial', 'serialnumber', 'system serial', 'systemserialnumber'],
  ...['tobefilledbyo.e.m.', 'type1 - system serial number', 'type3 - chassis serial number'],
];

/** SMBIOS UUIDs that were given to thousands of boards. */
export const SHARED_UUIDS: readonly string[] = [
  // Fleet, fwupd, systemd
  ...['03000200-0400-0500-0006-000700080009', '00020003-0004-0005-0006-000700080009'],
  ...['01020304-0506-0708-090a-0b0c0d0e0f10', '10000000-0000-8000-0040-000000000000'],
  ...['11111111-2222-3333-4444-555555555555', '12345678-1234-5678-90ab-cddeefaabbcc'],
  ...['12345678-1234-1234-1234-123456789abc', 'fefefefe-fefe-fefe-fefe-fefefefefefe'],
  // Dell without a service tag
  ...['4c4c4544-0000-2010-8020-80c04f202020', '4c4c4544-0020-2010-8020-a0c04f202020'],
  // osquery
  '03020100-0504-0706-0809-0a0b0c0d0e0f',
  // GLPI, FusionInventory
  ...['01010101-0101-0101-0101-010101010101', '6ab5b300-538d-1014-9fb5-b0684d007b53'],
  // Elkeid
  '02000100-0300-0400-0005-000600070008',
  // seen on machines: bytes that count up, in either order of the first three fields
  ...['00010203-0405-0607-0809-0a0b0c0d0e0f', '00112233-4455-6677-8899-aabbccddeeff'],
  ...['33221100-5544-7766-8899-aabbccddeeff', '12345678-1234-5678-1234-567812345678'],
];
