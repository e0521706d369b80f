/* The log of the service: a file with a time before each line, and what is an error or a warning in the event log as well. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define MOST_BYTES (1024u * 1024u)
#define LINE_BYTES 2048u

static CRITICAL_SECTION writing;
static LONG ready;

/* The folders that lead to the log, each of which has to be ours; platform/windows/paths.ts names them too. */
static bool log_path(const wchar_t *name, wchar_t *path) {
  UINT length = GetSystemWindowsDirectoryW(path, MAX_PATH);
  if (length < 3 || length >= MAX_PATH) return false;
  wcscpy(path + 3, L"ProgramData\\KiwiStack");
  if (!make_private_folder(path)) return false;
  wcscat(path, L"\\Log");
  if (!make_private_folder(path)) return false;
  wcscat(path, L"\\");
  wcscat(path, name);
  return true;
}

static void write_line(const char *line) {
  wchar_t path[MAX_PATH], old[MAX_PATH];
  SYSTEMTIME now;
  char text[LINE_BYTES + 64];
  if (!log_path(L"agent.log", path) || !log_path(L"agent.1.log", old)) return;
  GetSystemTime(&now);
  int length = snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ %s\n", now.wYear, now.wMonth, now.wDay, now.wHour,
                        now.wMinute, now.wSecond, now.wMilliseconds, line);
  if (length <= 0) return;
  EnterCriticalSection(&writing);
  HANDLE file = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ, NULL, OPEN_ALWAYS, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  LARGE_INTEGER size;
  if (file != INVALID_HANDLE_VALUE && GetFileSizeEx(file, &size) && size.QuadPart > MOST_BYTES) {
    CloseHandle(file);
    MoveFileExW(path, old, MOVEFILE_REPLACE_EXISTING);
    file = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ, NULL, OPEN_ALWAYS, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  }
  DWORD written;
  if (file != INVALID_HANDLE_VALUE) {
    WriteFile(file, text, (DWORD)(length < (int)sizeof text ? length : (int)sizeof text - 1), &written, NULL);
    CloseHandle(file);
  }
  LeaveCriticalSection(&writing);
}

static void write_event(WORD type, const char *line) {
  wchar_t text[LINE_BYTES];
  if (MultiByteToWideChar(CP_UTF8, 0, line, -1, text, LINE_BYTES) == 0) return;
  const wchar_t *strings[] = {text};
  HANDLE log = RegisterEventSourceW(NULL, L"KiwiStack");
  if (log == NULL) return;
  ReportEventW(log, type, 0, 1, NULL, 1, 0, strings, NULL);
  DeregisterEventSource(log);
}

static void begin(void) {
  if (InterlockedCompareExchange(&ready, 1, 0) == 0) InitializeCriticalSection(&writing);
}

void service_log(const char *what, DWORD error) {
  char line[256];
  begin();
  if (error == 0) snprintf(line, sizeof line, "service: %s", what);
  else snprintf(line, sizeof line, "service: %s: error %lu", what, (unsigned long)error);
  write_line(line);
  if (error != 0) write_event(EVENTLOG_WARNING_TYPE, line);
}

/* What programs write to standard error has the priority of a line before it, as sd-daemon(3) has it. */
static void take_line(char *line) {
  WORD type = 0;
  if (strncmp(line, "<3>", 3) == 0) type = EVENTLOG_ERROR_TYPE;
  else if (strncmp(line, "<4>", 3) == 0) type = EVENTLOG_WARNING_TYPE;
  if (line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') line += 3;
  for (char *at = line; *at != '\0'; at++) {
    if ((unsigned char)*at < 0x20) *at = ' ';
  }
  if (*line == '\0') return;
  write_line(line);
  if (type != 0) write_event(type, line);
}

static DWORD WINAPI read_lines(void *argument) {
  HANDLE from = argument;
  char line[LINE_BYTES];
  size_t length = 0;
  DWORD got;
  char bytes[1024];
  while (ReadFile(from, bytes, sizeof bytes, &got, NULL) && got > 0) {
    for (DWORD index = 0; index < got; index++) {
      if (bytes[index] != '\n' && length < sizeof line - 1) {
        line[length++] = bytes[index];
      } else if (bytes[index] == '\n') {
        line[length] = '\0';
        take_line(line);
        length = 0;
      }
    }
  }
  line[length] = '\0';
  take_line(line);
  CloseHandle(from);
  return 0;
}

/* A program that we start gets what Windows needs to load libraries, and nothing that somebody may have set for us. */
static bool environment_with(const wchar_t *variable, wchar_t *block, size_t room) {
  wchar_t windows[MAX_PATH];
  UINT length = GetSystemWindowsDirectoryW(windows, MAX_PATH);
  if (length == 0 || length >= MAX_PATH) return false;
  /* KIWISTACK_SERVICE: standard error is a log. The one given comes before it, as a block is to be in order. */
  int used = _snwprintf(block, room - 2, L"%ls%lsKIWISTACK_SERVICE=1\1PATH=%ls\\System32\1SystemRoot=%ls\1TEMP=%ls\\Temp",
                        variable == NULL ? L"" : variable, variable == NULL ? L"" : L"\1", windows, windows, windows);
  if (used <= 0 || (size_t)used >= room - 2) return false;
  for (int index = 0; index < used; index++) {
    if (block[index] == L'\1') block[index] = L'\0';
  }
  block[used] = block[used + 1] = L'\0';
  return true;
}

HANDLE service_start(const wchar_t *arguments, HANDLE connection, const wchar_t *variable, HANDLE job) {
  wchar_t environment[2048];
  HANDLE reading, log;
  begin();
  if (!environment_with(variable, environment, sizeof environment / sizeof *environment) || !CreatePipe(&reading, &log, NULL, 0)) {
    service_log("a program could not be started", GetLastError());
    return NULL;
  }
  HANDLE process = host_start(arguments, connection, environment, log, job);
  DWORD error = GetLastError();
  CloseHandle(log);
  HANDLE thread = process == NULL ? NULL : CreateThread(NULL, 0, read_lines, reading, 0, NULL);
  if (thread == NULL) CloseHandle(reading);
  else CloseHandle(thread);
  if (process == NULL) service_log("a program could not be started", error);
  return process;
}
