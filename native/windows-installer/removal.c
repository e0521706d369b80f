/* What happens when the package is removed from a laptop. Windows Installer calls these as the system, inside its transaction. */
#include <windows.h>
#include <msi.h>
#include <msiquery.h>

#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

#define MOST_PATH 1024
/* As `timeout 60` in installers/linux/deb/prerm. */
#define FAREWELL_MS 60000
/* Our folders are two deep; what is deeper than this is not ours to walk. */
#define MOST_DEPTH 8

static const wchar_t RECORD[] = L"\\State\\enrollment.json", FAREWELL[] = L"\\State\\farewell.json";
static const wchar_t ENROLLED[] =
    L"This laptop is enrolled, so KiwiStack Enroll cannot be removed. Certificate, tunnel and Fleet agent would stay in place, and nothing could "
    L"remove them. Uninstall the enrollment first, in a terminal that was opened with \"Run as administrator\": kiwistack-enroll uninstall. Then "
    L"remove KiwiStack Enroll.";
static const wchar_t UNREPORTED[] =
    L"The pending deregistration of this laptop could not be reported to the slice. Whoever looks after it there has to end the device.";

static void say(MSIHANDLE install, INSTALLMESSAGE kind, const wchar_t *text) {
  MSIHANDLE record = MsiCreateRecord(1);
  if (record == 0) return;
  MsiRecordSetStringW(record, 0, text);
  MsiProcessMessage(install, kind, record);
  MsiCloseHandle(record);
}

/* Below ProgramData, as platform/windows/paths.ts and native/windows-helper have it. */
static bool place_of(const wchar_t *name, wchar_t *path) {
  UINT length = GetSystemWindowsDirectoryW(path, MAX_PATH);
  if (length < 3 || length >= MAX_PATH) return false;
  wcscpy(path + 3, L"ProgramData\\KiwiStack");
  wcscat(path, name);
  return true;
}

static bool exists(const wchar_t *name) {
  wchar_t path[MAX_PATH + 64];
  return place_of(name, path) && GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

/* What cannot be looked at may be there: only what is surely not there is not. */
static bool may_exist(const wchar_t *name) {
  if (exists(name)) return true;
  DWORD error = GetLastError();
  return error != ERROR_FILE_NOT_FOUND && error != ERROR_PATH_NOT_FOUND;
}

/*
 * Called twice. Before anything is begun, as the person, who may not be allowed to look: then only what is seen counts. And as the system in the
 * transaction, where what is not surely absent counts.
 */
UINT __stdcall RefuseRemoval(MSIHANDLE install) {
  bool in_transaction = MsiGetMode(install, MSIRUNMODE_SCHEDULED);
  if (in_transaction ? !may_exist(RECORD) : !exists(RECORD)) return ERROR_SUCCESS;
  say(install, INSTALLMESSAGE_ERROR, ENROLLED);
  return ERROR_INSTALL_FAILURE;
}

/* Ends what takes too long. */
static void run_check(const wchar_t *folder) {
  wchar_t node[MOST_PATH + 16], command[2 * MOST_PATH + 128];
  _snwprintf(node, sizeof node / sizeof *node, L"%lsnode.exe", folder);
  _snwprintf(command, sizeof command / sizeof *command, L"\"%ls\" --disable-warning=ExperimentalWarning \"%lskiwistack-enroll.js\" check", node, folder);
  STARTUPINFOW start = {.cb = sizeof start};
  PROCESS_INFORMATION made;
  if (!CreateProcessW(node, command, NULL, NULL, FALSE, CREATE_NO_WINDOW, NULL, folder, &start, &made)) return;
  if (WaitForSingleObject(made.hProcess, FAREWELL_MS) != WAIT_OBJECT_0) TerminateProcess(made.hProcess, 1);
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
}

UINT __stdcall SayFarewell(MSIHANDLE install) {
  wchar_t folder[MOST_PATH];
  DWORD length = MOST_PATH;
  if (!may_exist(FAREWELL)) return ERROR_SUCCESS;
  if (MsiGetPropertyW(install, L"CustomActionData", folder, &length) == ERROR_SUCCESS && length > 0) run_check(folder);
  if (may_exist(FAREWELL)) say(install, INSTALLMESSAGE_WARNING, UNREPORTED);
  return ERROR_SUCCESS;
}

static void remove_tree(wchar_t *path, int depth) {
  DWORD attributes = GetFileAttributesW(path);
  if (attributes == INVALID_FILE_ATTRIBUTES) return;
  if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
    DeleteFileW(path);
    return;
  }
  /* A link to a folder is itself what is removed: whatever it leads to is somebody else's. */
  size_t length = wcslen(path);
  if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0 && depth < MOST_DEPTH && length + 2 < MOST_PATH) {
    WIN32_FIND_DATAW found;
    wcscpy(path + length, L"\\*");
    HANDLE search = FindFirstFileW(path, &found);
    while (search != INVALID_HANDLE_VALUE) {
      bool itself = wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0;
      if (!itself && length + 1 + wcslen(found.cFileName) < MOST_PATH) {
        wcscpy(path + length + 1, found.cFileName);
        remove_tree(path, depth + 1);
      }
      if (!FindNextFileW(search, &found)) break;
    }
    if (search != INVALID_HANDLE_VALUE) FindClose(search);
    path[length] = L'\0';
  }
  RemoveDirectoryW(path);
}

UINT __stdcall RemoveData(MSIHANDLE install) {
  (void)install;
  wchar_t path[MOST_PATH];
  if (place_of(L"", path)) remove_tree(path, 0);
  return ERROR_SUCCESS;
}
