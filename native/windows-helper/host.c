/* Starts Node for the service, and keeps what it says. */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define MAX_PATH_TEXT 1024

bool beside_us(const wchar_t *name, wchar_t *path, size_t room) {
  DWORD length = GetModuleFileNameW(NULL, path, (DWORD)room);
  if (length == 0 || length >= room) return false;
  wchar_t *slash = wcsrchr(path, L'\\');
  if (slash == NULL || (size_t)(slash + 1 - path) + wcslen(name) + 1 > room) return false;
  wcscpy(slash + 1, name);
  return true;
}

/*
 * Descriptors for the C library in the child, which Node is built with: 0 and 1 lead nowhere, 2 is the log, 3 the connection. The layout of
 * `lpReserved2` is that of Microsoft's C runtime: a count, a byte of flags for each, a handle for each.
 */
#define DESCRIPTORS 4
#pragma pack(push, 1)
struct descriptors {
  DWORD count;
  BYTE flags[DESCRIPTORS];
  HANDLE handles[DESCRIPTORS];
};
#pragma pack(pop)
enum { FD_OPEN = 0x01, FD_PIPE = 0x08, FD_DEVICE = 0x40 };

HANDLE host_start(const wchar_t *arguments, HANDLE connection, const wchar_t *environment, HANDLE log, HANDLE job) {
  wchar_t node[MAX_PATH_TEXT], command[2 * MAX_PATH_TEXT + 256], folder[MAX_PATH_TEXT];
  if (!beside_us(L"node.exe", node, MAX_PATH_TEXT) || !beside_us(L"", folder, MAX_PATH_TEXT)) return NULL;
  int length = _snwprintf(command, sizeof command / sizeof *command,
                          L"\"%ls\" --disable-warning=ExperimentalWarning \"%ls%ls", node, folder, arguments);
  if (length < 0 || (size_t)length >= sizeof command / sizeof *command) return NULL;

  SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
  HANDLE nothing = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);
  if (nothing == INVALID_HANDLE_VALUE) return NULL;
  struct descriptors descriptors = {connection == NULL ? 3 : 4, {FD_OPEN | FD_DEVICE, FD_OPEN | FD_DEVICE, FD_OPEN | FD_PIPE, FD_OPEN | FD_PIPE},
                                    {nothing, nothing, log, connection}};
  HANDLE passed[] = {nothing, log, connection};
  const size_t passed_count = connection == NULL ? 2 : 3;
  STARTUPINFOEXW start;
  memset(&start, 0, sizeof start);
  start.StartupInfo.cb = sizeof start;
  start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  start.StartupInfo.hStdInput = nothing;
  start.StartupInfo.hStdOutput = nothing;
  start.StartupInfo.hStdError = log;
  start.StartupInfo.cbReserved2 = sizeof descriptors;
  start.StartupInfo.lpReserved2 = (BYTE *)&descriptors;
  SetHandleInformation(log, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
  if (connection != NULL) SetHandleInformation(connection, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);

  /* Nothing else of ours gets into the child: another connection would be somebody else's. */
  SIZE_T size = 0;
  InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  start.lpAttributeList = malloc(size);
  PROCESS_INFORMATION made = {0};
  BOOL started = FALSE;
  if (start.lpAttributeList != NULL && InitializeProcThreadAttributeList(start.lpAttributeList, 1, 0, &size)) {
    if (UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, passed, passed_count * sizeof *passed, NULL, NULL)) {
      const DWORD flags = CREATE_SUSPENDED | CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
      started = CreateProcessW(node, command, NULL, NULL, TRUE, flags, (void *)environment, folder, &start.StartupInfo, &made);
    }
    DeleteProcThreadAttributeList(start.lpAttributeList);
  }
  DWORD error = GetLastError();
  free(start.lpAttributeList);
  CloseHandle(nothing);
  SetHandleInformation(log, HANDLE_FLAG_INHERIT, 0);
  if (!started) {
    SetLastError(error);
    return NULL;
  }
  /* When the service ends, however it does, what it started ends with it. */
  if (job != NULL) AssignProcessToJobObject(job, made.hProcess);
  ResumeThread(made.hThread);
  CloseHandle(made.hThread);
  return made.hProcess;
}
