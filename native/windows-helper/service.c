/*
 * The service `kiwistack-agent`: listens at the agent's named pipe and gives each connection to a Node of its own, with who is at the other end;
 * runs the check every hour while this laptop is enrolled; and runs `mend` when the network has changed, after sleep, when the clock was set,
 * and when the tunnel gets no answer. It has no secret, and parses nothing that a caller says.
 */
#include "service.h"

#include <ws2tcpip.h>
#include <iphlpapi.h>
#include <netioapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* So many connections at once, in all and of one user; the system is never kept out by others. */
#define MOST 32
#define MOST_OF_ONE 8

static SERVICE_STATUS_HANDLE status_handle;
static HANDLE stop_event, changed_event, job;
static volatile LONG happened;
static struct {
  HANDLE process;
  wchar_t sid[192];
} connections[MOST];
static size_t connection_count;

static void report(DWORD state, DWORD error) {
  SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state, .dwWin32ExitCode = error};
  if (state == SERVICE_RUNNING) {
    status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_POWEREVENT | SERVICE_ACCEPT_TIMECHANGE;
  }
  if (state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING) status.dwWaitHint = 10000;
  SetServiceStatus(status_handle, &status);
}

static void happens(enum reason reason) {
  InterlockedOr(&happened, 1 << reason);
  SetEvent(changed_event);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context) {
  (void)data, (void)context;
  switch (code) {
  case SERVICE_CONTROL_STOP:
  case SERVICE_CONTROL_SHUTDOWN:
    report(SERVICE_STOP_PENDING, NO_ERROR);
    SetEvent(stop_event);
    return NO_ERROR;
  case SERVICE_CONTROL_POWEREVENT:
    if (type == PBT_APMRESUMEAUTOMATIC) happens(REASON_WAKE);
    return NO_ERROR;
  case SERVICE_CONTROL_TIMECHANGE:
    happens(REASON_CLOCK);
    return NO_ERROR;
  case SERVICE_CONTROL_INTERROGATE:
    return NO_ERROR;
  default:
    return ERROR_CALL_NOT_IMPLEMENTED;
  }
}

/* The tunnel's own adapter comes and goes with what `mend` does. */
static VOID WINAPI address_changed(void *context, MIB_UNICASTIPADDRESS_ROW *row, MIB_NOTIFICATION_TYPE type) {
  (void)context, (void)type;
  wchar_t alias[IF_MAX_STRING_SIZE + 1] = L"";
  if (row != NULL) ConvertInterfaceLuidToAlias(&row->InterfaceLuid, alias, sizeof alias / sizeof *alias);
  if (wcsncmp(alias, L"kiwi-", 5) != 0) happens(REASON_NETWORK);
}

static VOID WINAPI route_changed(void *context, MIB_IPFORWARD_ROW2 *row, MIB_NOTIFICATION_TYPE type) {
  (void)context, (void)type;
  wchar_t alias[IF_MAX_STRING_SIZE + 1] = L"";
  if (row != NULL) ConvertInterfaceLuidToAlias(&row->InterfaceLuid, alias, sizeof alias / sizeof *alias);
  if (wcsncmp(alias, L"kiwi-", 5) != 0) happens(REASON_NETWORK);
}

/* Of those whose process has ended. */
static void forget_ended(void) {
  for (size_t index = 0; index < connection_count;) {
    if (WaitForSingleObject(connections[index].process, 0) == WAIT_TIMEOUT) {
      index++;
      continue;
    }
    CloseHandle(connections[index].process);
    connections[index] = connections[--connection_count];
  }
}

/* Gives the connection to a Node of its own. A caller who cannot be told, or has too many already, is hung up on. */
static void serve(HANDLE pipe) {
  struct client client;
  size_t of_one = 0;
  if (!pipe_client(pipe, &client)) {
    service_log("a caller could not be told", GetLastError());
    return;
  }
  forget_ended();
  for (size_t index = 0; index < connection_count; index++) of_one += wcscmp(connections[index].sid, client.identity.sid) == 0;
  const bool ours = client.identity.system || client.identity.administrator;
  if (connection_count >= MOST || (!ours && (of_one >= MOST_OF_ONE || connection_count >= MOST - 4))) return;

  wchar_t caller[512];
  _snwprintf(caller, sizeof caller / sizeof *caller,
             L"KIWISTACK_CALLER={\"pid\":%lu,\"started\":\"%I64u\",\"sid\":\"%ls\",\"session\":%lu,\"active\":%ls,\"system\":%ls,\"administrator\":%ls}",
             (unsigned long)client.pid, client.started, client.identity.sid, (unsigned long)client.identity.session,
             session_is_active(client.identity.session) ? L"true" : L"false", client.identity.system ? L"true" : L"false",
             client.identity.administrator ? L"true" : L"false");
  caller[sizeof caller / sizeof *caller - 1] = L'\0';
  HANDLE process = service_start(L"kiwistack-agent.js\"", pipe, caller, job);
  if (process == NULL) return;
  connections[connection_count].process = process;
  wcscpy(connections[connection_count].sid, client.identity.sid);
  connection_count++;
}

/* Serves callers and does the upkeep until it is to stop. */
static DWORD run(void) {
  HANDLE pipe = pipe_listen(AGENT_PIPE, AGENT_PIPE_SDDL, true);
  if (pipe == INVALID_HANDLE_VALUE) return GetLastError();
  OVERLAPPED waiting = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  HANDLE addresses = NULL, routes = NULL;
  NotifyUnicastIpAddressChange(AF_UNSPEC, address_changed, NULL, FALSE, &addresses);
  NotifyRouteChange2(AF_UNSPEC, route_changed, NULL, FALSE, &routes);
  struct upkeep upkeep;
  upkeep_begin(&upkeep, GetTickCount64());
  report(SERVICE_RUNNING, NO_ERROR);
  service_log("running", 0);

  bool listening = false;
  for (;;) {
    if (!listening) {
      listening = true;
      /* A caller may have come between the making of the pipe and this. */
      if (!ConnectNamedPipe(pipe, &waiting) && GetLastError() == ERROR_PIPE_CONNECTED) SetEvent(waiting.hEvent);
    }
    HANDLE events[4] = {stop_event, waiting.hEvent, changed_event, upkeep.process};
    DWORD count = upkeep.process == NULL ? 3 : 4;
    DWORD which = WaitForMultipleObjects(count, events, FALSE, upkeep_wait(&upkeep, GetTickCount64()));
    if (which == WAIT_OBJECT_0 || which == WAIT_FAILED) break;
    if (which == WAIT_OBJECT_0 + 1) {
      /* The next instance first, so that there is always one: the name is never free for another program. */
      HANDLE next = pipe_listen(AGENT_PIPE, AGENT_PIPE_SDDL, false);
      ResetEvent(waiting.hEvent);
      serve(pipe);
      CloseHandle(pipe);
      if (next == INVALID_HANDLE_VALUE) return GetLastError();
      pipe = next;
      listening = false;
    }
    forget_ended();
    if (which == WAIT_OBJECT_0 + 2) upkeep_event(&upkeep, (unsigned)InterlockedExchange(&happened, 0), GetTickCount64());
    upkeep_step(&upkeep, GetTickCount64(), job);
  }
  if (addresses != NULL) CancelMibChangeNotify2(addresses);
  if (routes != NULL) CancelMibChangeNotify2(routes);
  CancelIo(pipe);
  CloseHandle(pipe);
  CloseHandle(waiting.hEvent);
  return NO_ERROR;
}

/*
 * What the service manager does when this ends by itself: starts it again after 5, 15 and 60 seconds, also when it says that it failed; a day without
 * that forgets them. platform/windows/services.ts sets the same for the services of others. No package can do without this: Windows Installer's own
 * table for it is not known to all that make packages.
 */
static void set_recovery(void) {
  SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
  SC_HANDLE service = manager == NULL ? NULL : OpenServiceW(manager, AGENT_SERVICE, SERVICE_CHANGE_CONFIG | SERVICE_START);
  SC_ACTION actions[] = {{SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 15000}, {SC_ACTION_RESTART, 60000}};
  SERVICE_FAILURE_ACTIONSW failure = {.dwResetPeriod = 86400, .cActions = sizeof actions / sizeof *actions, .lpsaActions = actions};
  SERVICE_FAILURE_ACTIONS_FLAG also_errors = {TRUE};
  if (service != NULL) {
    if (!ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure)) service_log("recovery was not set", GetLastError());
    ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_errors);
    CloseServiceHandle(service);
  }
  if (manager != NULL) CloseServiceHandle(manager);
}

static VOID WINAPI service_main(DWORD argc, wchar_t **argv) {
  (void)argc, (void)argv;
  status_handle = RegisterServiceCtrlHandlerExW(AGENT_SERVICE, control, NULL);
  if (status_handle == NULL) return;
  report(SERVICE_START_PENDING, NO_ERROR);
  stop_event = CreateEventW(NULL, TRUE, FALSE, NULL);
  changed_event = CreateEventW(NULL, FALSE, FALSE, NULL);
  job = CreateJobObjectW(NULL, NULL);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
  set_recovery();
  if (job != NULL) SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  DWORD error = stop_event == NULL || changed_event == NULL ? GetLastError() : run();
  if (job != NULL) TerminateJobObject(job, 1);
  if (error != NO_ERROR) service_log("stopped", error);
  report(SERVICE_STOPPED, error);
}

int verb_service(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  const SERVICE_TABLE_ENTRYW table[] = {{(wchar_t *)AGENT_SERVICE, service_main}, {NULL, NULL}};
  return StartServiceCtrlDispatcherW(table) ? DONE : failed("only the service manager starts it", GetLastError());
}
