/* Services as they are, the event log, and people at a screen. */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wtsapi32.h>

static void put_service(SC_HANDLE manager, const wchar_t *name) {
  SC_HANDLE service = OpenServiceW(manager, name, SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG);
  json_open('{');
  json_name("name"), json_text(name);
  json_name("known"), json_bool(service != NULL);
  if (service != NULL) {
    SERVICE_STATUS_PROCESS status;
    DWORD size = 0;
    if (QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &size)) {
      json_name("state"), json_number(status.dwCurrentState);
      json_name("exitCode"), json_number(status.dwWin32ExitCode);
      json_name("pid"), json_number(status.dwProcessId);
    }
    union {
      QUERY_SERVICE_CONFIGW config;
      BYTE room[8192];
    } answer;
    if (QueryServiceConfigW(service, &answer.config, sizeof answer, &size)) {
      json_name("start"), json_number(answer.config.dwStartType);
      json_name("command"), json_text(answer.config.lpBinaryPathName);
    }
    CloseServiceHandle(service);
  }
  json_close('}');
}

/* Every service whose name begins with the text before the star. */
static bool put_services(SC_HANDLE manager, const wchar_t *pattern) {
  DWORD size = 0, count = 0, resume = 0;
  EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL, NULL, 0, &size, &count, &resume, NULL);
  ENUM_SERVICE_STATUS_PROCESSW *list = size == 0 || size > MAX_OUTPUT ? NULL : malloc(size);
  resume = 0;
  bool done = list != NULL && EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL, (BYTE *)list, size,
                                                    &size, &count, &resume, NULL);
  for (DWORD index = 0; done && index < count; index++) {
    if (_wcsnicmp(list[index].lpServiceName, pattern, wcslen(pattern) - 1) == 0) put_service(manager, list[index].lpServiceName);
  }
  free(list);
  return done;
}

/* services NAME…: numbers as the service manager has them (QueryServiceStatusEx, QueryServiceConfig). A name that ends
 * with a star stands for all that begin so. */
int verb_services(int argc, wchar_t **argv) {
  SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
  if (manager == NULL) return failed("OpenSCManager", GetLastError());
  json_open('[');
  bool done = true;
  for (int index = 0; index < argc; index++) {
    size_t length = wcslen(argv[index]);
    if (length > 1 && argv[index][length - 1] == L'*') done = put_services(manager, argv[index]) && done;
    else put_service(manager, argv[index]);
  }
  DWORD error = GetLastError();
  CloseServiceHandle(manager);
  json_close(']');
  return done ? json_end() : failed("EnumServicesStatusEx", error);
}

/* products UPGRADE-CODE: installed packages of Windows Installer that belong to it. */
int verb_products(int argc, wchar_t **argv) {
  (void)argc;
  HMODULE library = LoadLibraryExW(L"msi.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (library == NULL) return failed("msi.dll", GetLastError());
  UINT(WINAPI *related)(LPCWSTR, DWORD, DWORD, LPWSTR);
  UINT(WINAPI *about)(LPCWSTR, LPCWSTR, LPWSTR, DWORD *);
  FARPROC found = GetProcAddress(library, "MsiEnumRelatedProductsW"), also = GetProcAddress(library, "MsiGetProductInfoW");
  memcpy(&related, &found, sizeof related);
  memcpy(&about, &also, sizeof about);
  if (found == NULL || also == NULL) return failed("msi.dll", ERROR_PROC_NOT_FOUND);
  json_open('[');
  UINT error = ERROR_SUCCESS;
  for (DWORD index = 0; index < 16; index++) {
    wchar_t code[39], version[64] = L"";
    DWORD room = sizeof version / sizeof *version;
    error = related(argv[0], 0, index, code);
    if (error != ERROR_SUCCESS) break;
    about(code, L"VersionString", version, &room);
    json_open('{');
    json_name("code"), json_text(code);
    json_name("version"), json_text(version);
    json_close('}');
  }
  json_close(']');
  FreeLibrary(library);
  return error == ERROR_SUCCESS || error == ERROR_NO_MORE_ITEMS ? json_end() : failed("MsiEnumRelatedProducts", error);
}

/* log error|warning|info: each line of standard input becomes an event of our source in the Application log. */
int verb_log(int argc, wchar_t **argv) {
  (void)argc;
  WORD type;
  if (wcscmp(argv[0], L"error") == 0) type = EVENTLOG_ERROR_TYPE;
  else if (wcscmp(argv[0], L"warning") == 0) type = EVENTLOG_WARNING_TYPE;
  else if (wcscmp(argv[0], L"info") == 0) type = EVENTLOG_INFORMATION_TYPE;
  else return USAGE;
  BYTE *input;
  DWORD length;
  if (!read_input(&input, &length)) return failed("standard input", GetLastError());
  HANDLE log = RegisterEventSourceW(NULL, L"KiwiStack");
  int code = log == NULL ? failed("RegisterEventSource", GetLastError()) : DONE;
  input[length] = '\0'; /* the buffer has one byte more than the most input */
  for (char *line = strtok((char *)input, "\r\n"); line != NULL && code == DONE; line = strtok(NULL, "\r\n")) {
    wchar_t text[2048];
    if (MultiByteToWideChar(CP_UTF8, 0, line, -1, text, sizeof text / sizeof *text) == 0) continue;
    const wchar_t *strings[] = {text};
    if (!ReportEventW(log, type, 0, 1, NULL, 1, 0, strings, NULL)) code = failed("ReportEvent", GetLastError());
  }
  if (log != NULL) DeregisterEventSource(log);
  wipe_input(input, length);
  return code;
}

/* Sessions with somebody at a screen. */
int verb_sessions(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  WTS_SESSION_INFOW *sessions = NULL;
  DWORD count = 0;
  if (!WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &sessions, &count)) {
    return failed("WTSEnumerateSessions", GetLastError());
  }
  json_open('[');
  for (DWORD index = 0; index < count; index++) {
    wchar_t *user = NULL;
    DWORD size = 0;
    if (sessions[index].State != WTSActive) continue;
    /* The name is looked at only for whether there is one: session 0 and a screen where nobody has logged in have none. */
    bool somebody = WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, sessions[index].SessionId, WTSUserName, &user, &size) &&
                    user[0] != L'\0';
    if (user != NULL) WTSFreeMemory(user);
    if (somebody) json_number(sessions[index].SessionId);
  }
  WTSFreeMemory(sessions);
  json_close(']');
  return json_end();
}

/* notify SESSION: title and text are the two lines of standard input. The window closes itself. */
int verb_notify(int argc, wchar_t **argv) {
  (void)argc;
  DWORD session, length, answer = 0;
  BYTE *input;
  if (!read_number(argv[0], 65535, &session)) return USAGE;
  if (!read_input(&input, &length)) return failed("standard input", GetLastError());
  input[length] = '\0';
  wchar_t title[256], text[1024];
  char *rest = strchr((char *)input, '\n');
  if (rest != NULL) *rest++ = '\0';
  int code = FAILED;
  if (rest != NULL && MultiByteToWideChar(CP_UTF8, 0, (char *)input, -1, title, sizeof title / sizeof *title) > 0 &&
      MultiByteToWideChar(CP_UTF8, 0, rest, -1, text, sizeof text / sizeof *text) > 0) {
    const DWORD seconds = 600;
    BOOL sent = WTSSendMessageW(WTS_CURRENT_SERVER_HANDLE, session, title, (DWORD)(wcslen(title) * sizeof *title), text,
                                (DWORD)(wcslen(text) * sizeof *text), MB_OK | MB_ICONINFORMATION, seconds, &answer, FALSE);
    code = sent ? DONE : failed("WTSSendMessage", GetLastError());
  }
  wipe_input(input, length);
  return code;
}
