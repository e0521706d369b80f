/* Starts node.exe with kiwistack-enroll.js, which are one folder above this program, and ends as that ends. */
#include <windows.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* An internal error, as the program itself ends with one (README.md). */
#define INTERNAL 7
/* The longest path of ours; a command line of Windows has at most 32767 characters. */
#define MOST_PATH 1024
#define MOST_COMMAND 32767

/*
 * All that is handed on. Windows' own are needed to start a program at all; the others are those that the program reads: language and terminal, proxies,
 * and those of test builds, which the program refuses with an error. PATH is not among them: programs are run by their full path.
 */
static const wchar_t *const PASSED[] = {
    L"SystemRoot", L"SystemDrive", L"windir",    L"ComSpec",     L"TEMP",        L"TMP",       L"USERPROFILE", L"LANG",
    L"LC_ALL",     L"LC_MESSAGES", L"TERM",      L"NO_COLOR",    L"HTTPS_PROXY", L"ALL_PROXY", L"NO_PROXY",    L"KIWISTACK_FAULT",
    L"KIWISTACK_FAULT_TRACE",
};

static int failed(const char *what) {
  fprintf(stderr, "error: %s: error %lu\n", what, (unsigned long)GetLastError());
  return INTERNAL;
}

/* What comes after the first word of a command line, which is a program's name: in quotes, or up to a space. It is handed on as it is. */
static const wchar_t *arguments_of(const wchar_t *line) {
  bool quoted = false;
  for (; *line != L'\0' && (quoted || (*line != L' ' && *line != L'\t')); line++) {
    if (*line == L'"') quoted = !quoted;
  }
  while (*line == L' ' || *line == L'\t') line++;
  return line;
}

static bool is_passed(const wchar_t *entry) {
  for (size_t index = 0; index < sizeof PASSED / sizeof *PASSED; index++) {
    size_t length = wcslen(PASSED[index]);
    if (_wcsnicmp(entry, PASSED[index], length) == 0 && entry[length] == L'=') return true;
  }
  return false;
}

/* Our environment without what is not in the list: entries one after the other, each ended by a zero, and one zero more. */
static wchar_t *clean_environment(void) {
  wchar_t *all = GetEnvironmentStringsW();
  if (all == NULL) return NULL;
  size_t room = 2;
  for (const wchar_t *entry = all; *entry != L'\0'; entry += wcslen(entry) + 1) room += wcslen(entry) + 1;
  wchar_t *clean = calloc(room, sizeof *clean), *next = clean;
  for (const wchar_t *entry = all; clean != NULL && *entry != L'\0'; entry += wcslen(entry) + 1) {
    if (!is_passed(entry)) continue;
    wcscpy(next, entry);
    next += wcslen(entry) + 1;
  }
  FreeEnvironmentStringsW(all);
  return clean;
}

/* The folder above ours, ended by a backslash. */
static bool program_folder(wchar_t *path) {
  DWORD length = GetModuleFileNameW(NULL, path, MOST_PATH);
  if (length == 0 || length >= MOST_PATH) return false;
  for (int level = 0; level < 2; level++) {
    wchar_t *slash = wcsrchr(path, L'\\');
    if (slash == NULL) return false;
    *slash = L'\0';
  }
  wcscat(path, L"\\");
  return true;
}

int wmain(void) {
  SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  wchar_t folder[MOST_PATH], node[MOST_PATH + 16], *command = calloc(MOST_COMMAND + 1, sizeof *command);
  if (command == NULL || !program_folder(folder)) return failed("the program's folder");
  _snwprintf(node, sizeof node / sizeof *node, L"%lsnode.exe", folder);
  int length = _snwprintf(command, MOST_COMMAND, L"\"%ls\" --disable-warning=ExperimentalWarning \"%lskiwistack-enroll.js\" %ls", node, folder,
                          arguments_of(GetCommandLineW()));
  if (length < 0 || length >= MOST_COMMAND) return failed("the arguments are too long");
  wchar_t *environment = clean_environment();
  if (environment == NULL) return failed("the environment");

  /* Ctrl-C reaches both: it is the program's to answer, and ours to wait for that. */
  SetConsoleCtrlHandler(NULL, TRUE);
  STARTUPINFOW start;
  GetStartupInfoW(&start);
  start.lpTitle = NULL;
  PROCESS_INFORMATION made;
  /* The handles of ours are the caller's, who may give a PIN by one of them (--pin-fd). */
  if (!CreateProcessW(node, command, NULL, NULL, TRUE, CREATE_UNICODE_ENVIRONMENT, environment, NULL, &start, &made)) {
    return failed("node.exe does not start");
  }
  CloseHandle(made.hThread);
  DWORD code = INTERNAL;
  WaitForSingleObject(made.hProcess, INFINITE);
  GetExitCodeProcess(made.hProcess, &code);
  return (int)code;
}
