/* The firmware's table and the disks, as the machine says it. */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winioctl.h>

/* The raw table of SMBIOS with Windows' header of eight bytes (GetSystemFirmwareTable). TypeScript reads it. */
int verb_smbios(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  const DWORD provider = 0x52534d42; /* 'RSMB' */
  UINT size = GetSystemFirmwareTable(provider, 0, NULL, 0);
  if (size == 0 || size > MAX_OUTPUT) return failed("GetSystemFirmwareTable", size == 0 ? GetLastError() : ERROR_BAD_LENGTH);
  BYTE *table = malloc(size);
  if (table == NULL) return failed("memory", ERROR_OUTOFMEMORY);
  UINT got = GetSystemFirmwareTable(provider, 0, table, size);
  int code = got == 0 || got > size ? failed("GetSystemFirmwareTable", GetLastError()) : write_output(table, got) ? DONE : FAILED;
  free(table);
  return code;
}

/* A descriptor's text: NUL-terminated within the buffer, or nothing. */
static void descriptor_text(const char *name, const BYTE *buffer, DWORD size, DWORD offset) {
  json_name(name);
  if (offset == 0 || offset >= size || memchr(buffer + offset, 0, size - offset) == NULL) json_null();
  else json_ascii((const char *)buffer + offset);
}

/* Physical drives with the bus they are at. Opened without the right to read or write, which needs no administrator. */
int verb_disks(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  json_open('[');
  for (unsigned number = 0; number < 32; number++) {
    wchar_t path[32];
    swprintf(path, sizeof path / sizeof *path, L"\\\\.\\PhysicalDrive%u", number);
    HANDLE disk = CreateFileW(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (disk == INVALID_HANDLE_VALUE) continue;
    STORAGE_PROPERTY_QUERY query = {.PropertyId = StorageDeviceProperty, .QueryType = PropertyStandardQuery};
    union {
      STORAGE_DEVICE_DESCRIPTOR descriptor;
      BYTE bytes[4096];
    } answer;
    DWORD size = 0;
    memset(&answer, 0, sizeof answer);
    if (DeviceIoControl(disk, IOCTL_STORAGE_QUERY_PROPERTY, &query, sizeof query, &answer, sizeof answer, &size, NULL) &&
        size >= offsetof(STORAGE_DEVICE_DESCRIPTOR, RawPropertiesLength)) {
      json_open('{');
      json_name("bus"), json_number((uint64_t)answer.descriptor.BusType);
      json_name("removable"), json_bool(answer.descriptor.RemovableMedia);
      descriptor_text("serial", answer.bytes, size, answer.descriptor.SerialNumberOffset);
      json_close('}');
    }
    CloseHandle(disk);
  }
  json_close(']');
  return json_end();
}
