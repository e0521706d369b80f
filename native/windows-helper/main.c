/* The command line: a verb, and what it is about. Secrets come by standard input and leave by standard output, never as an argument. */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static const struct {
  const wchar_t *name;
  int (*run)(int, wchar_t **);
  /* How many arguments come after it. */
  int least, most;
} VERBS[] = {
    {L"whoami", verb_whoami, 0, 0},
    {L"smbios", verb_smbios, 0, 0},
    {L"disks", verb_disks, 0, 0},
    {L"adapters", verb_adapters, 0, 0},
    {L"routes", verb_routes, 0, 0},
    {L"route-to", verb_route_to, 1, 1},
    {L"resolve", verb_resolve, 1, 1},
    {L"ping", verb_ping, 3, 3},
    {L"seal", verb_seal, 1, 1},
    {L"unseal", verb_unseal, 1, 1},
    {L"certificate-add", verb_certificate_add, 2, 3},
    {L"certificate-list", verb_certificate_list, 1, 1},
    {L"certificate-remove", verb_certificate_remove, 2, 2},
    {L"key-add", verb_key_add, 2, 2},
    {L"key-list", verb_key_list, 0, 0},
    {L"key-remove", verb_key_remove, 1, 1},
    {L"file-security", verb_file_security, 1, 1},
    {L"secure-file", verb_secure_file, 2, 2},
    {L"secure-folder", verb_secure_folder, 2, 2},
    {L"products", verb_products, 1, 1},
    {L"services", verb_services, 1, 32},
    {L"log", verb_log, 1, 1},
    {L"sessions", verb_sessions, 0, 0},
    {L"notify", verb_notify, 1, 1},
    {L"has-pipe", verb_has_pipe, 1, 1},
    {L"connect", verb_connect, 1, 1},
    {L"service", verb_service, 0, 0},
};

int failed(const char *what, DWORD error) {
  const char *meaning = "";
  int code = FAILED;
  switch (error) {
  case ERROR_ACCESS_DENIED:
  case ERROR_PRIVILEGE_NOT_HELD:
  case (DWORD)E_ACCESSDENIED:
  case (DWORD)NTE_PERM:
    code = DENIED;
    break;
  case ERROR_FILE_NOT_FOUND:
  case ERROR_PATH_NOT_FOUND:
  case ERROR_SERVICE_DOES_NOT_EXIST:
  case (DWORD)CRYPT_E_NOT_FOUND:
    code = NOT_FOUND;
    break;
  case ERROR_CALL_NOT_IMPLEMENTED:
  case (DWORD)E_NOTIMPL:
  case (DWORD)NTE_NOT_SUPPORTED:
    meaning = ", not implemented";
    code = UNSUPPORTED;
    break;
  default:
    break;
  }
  /* Statuses of COM and CNG are known by their hexadecimal form. */
  fprintf(stderr, error < 0x80000000u ? "%s: error %lu%s\n" : "%s: error 0x%08lx%s\n", what, (unsigned long)error, meaning);
  return code;
}

bool read_input(BYTE **bytes, DWORD *length) {
  HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
  BYTE *buffer = VirtualAlloc(NULL, MAX_INPUT + 1, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
  if (buffer == NULL) return false;
  /* What is read may be a private key: not into the page file. Without the right to lock it is read all the same. */
  VirtualLock(buffer, MAX_INPUT + 1);
  DWORD total = 0;
  for (;;) {
    DWORD got = 0;
    if (!ReadFile(input, buffer + total, MAX_INPUT + 1 - total, &got, NULL)) {
      if (GetLastError() == ERROR_BROKEN_PIPE) break;
      wipe_input(buffer, total);
      return false;
    }
    if (got == 0) break;
    total += got;
    if (total > MAX_INPUT) {
      wipe_input(buffer, total);
      return false;
    }
  }
  *bytes = buffer;
  *length = total;
  return true;
}

void wipe_input(BYTE *bytes, DWORD length) {
  SecureZeroMemory(bytes, length);
  VirtualFree(bytes, 0, MEM_RELEASE);
}

bool write_output(const void *bytes, DWORD length) {
  HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
  const BYTE *next = bytes;
  while (length > 0) {
    DWORD written = 0;
    if (!WriteFile(output, next, length, &written, NULL) || written == 0) return false;
    next += written;
    length -= written;
  }
  return true;
}

bool read_number(const wchar_t *text, DWORD most, DWORD *number) {
  size_t length = wcslen(text);
  if (length == 0 || length > 9 || wcsspn(text, L"0123456789") != length) return false;
  *number = wcstoul(text, NULL, 10);
  return *number <= most;
}

int wmain(int argc, wchar_t **argv) {
  /* A library is never looked for where this program was started, nor on PATH. */
  SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
  for (size_t index = 0; argc >= 2 && index < sizeof VERBS / sizeof VERBS[0]; index++) {
    if (wcscmp(argv[1], VERBS[index].name) != 0) continue;
    int given = argc - 2;
    if (given < VERBS[index].least || given > VERBS[index].most) break;
    return VERBS[index].run(given, argv + 2);
  }
  fputs("usage: kiwistack-helper VERB [ARGUMENT...]\n", stderr);
  return USAGE;
}
