/* The agent's named pipe: who may open it, who has, and whether it is the system's that we have opened. */
#include "helper.h"

#include <aclapi.h>
#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define BUFFER (64u * 1024u)

HANDLE pipe_listen(const wchar_t *name, const wchar_t *sddl, bool first) {
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, NULL, FALSE};
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL)) {
    return INVALID_HANDLE_VALUE;
  }
  /* FIRST_PIPE_INSTANCE: a program that has made a pipe of this name before us would get what people say to the agent. */
  const DWORD open = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0);
  const DWORD mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
  HANDLE pipe = CreateNamedPipeW(name, open, mode, PIPE_UNLIMITED_INSTANCES, BUFFER, BUFFER, 0, &attributes);
  DWORD error = GetLastError();
  LocalFree(attributes.lpSecurityDescriptor);
  SetLastError(error);
  return pipe;
}

bool pipe_client(HANDLE pipe, struct client *client) {
  if (!GetNamedPipeClientProcessId(pipe, &client->pid)) return false;
  HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, client->pid);
  if (process == NULL) return false;
  FILETIME made, ended, kernel, user;
  bool known = GetProcessTimes(process, &made, &ended, &kernel, &user);
  CloseHandle(process);
  if (!known) return false;
  client->started = ((uint64_t)made.dwHighDateTime << 32) | made.dwLowDateTime;
  /*
   * Not the process's token: the process may have given the handle away, or may be another by now. Possible before anything was read because our
   * own client (`connect`) asks for static tracking; with one that does not, Windows refuses, and so do we.
   */
  if (!ImpersonateNamedPipeClient(pipe)) return false;
  HANDLE token = NULL;
  /* As ourselves: a client that lets us only identify it has a token that may not open itself. */
  bool opened = OpenThreadToken(GetCurrentThread(), TOKEN_QUERY | TOKEN_DUPLICATE, TRUE, &token);
  /* Going on in the name of a client would be worse than ending. */
  if (!RevertToSelf()) abort();
  if (!opened) return false;
  known = identity_of(token, &client->identity);
  CloseHandle(token);
  return known;
}

/* True when the pipe at the other end was made by the system or an administrator: others cannot make them the owner. */
static bool is_systems(HANDLE pipe) {
  PSID owner = NULL;
  PSECURITY_DESCRIPTOR descriptor = NULL;
  if (GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &descriptor) != ERROR_SUCCESS) {
    return false;
  }
  bool ours = is_trusted_owner(owner);
  LocalFree(descriptor);
  return ours;
}

/* has-pipe PIPE: whether there is one, without a connection to it. Exit code 3 when there is none. */
int verb_has_pipe(int argc, wchar_t **argv) {
  (void)argc;
  /* It waits a moment for a free instance; that all are taken is an answer too. */
  return WaitNamedPipeW(argv[0], 1) || GetLastError() != ERROR_FILE_NOT_FOUND ? DONE : NOT_FOUND;
}

struct way {
  HANDLE from, to;
  bool to_pipe;
};

/* An overlapped handle, so that a read that waits does not hold up a write to the same pipe. */
static bool transfer(HANDLE pipe, bool write, BYTE *bytes, DWORD size, DWORD *done) {
  OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  if (overlapped.hEvent == NULL) return false;
  BOOL begun = write ? WriteFile(pipe, bytes, size, NULL, &overlapped) : ReadFile(pipe, bytes, size, NULL, &overlapped);
  bool good = (begun || GetLastError() == ERROR_IO_PENDING) && GetOverlappedResult(pipe, &overlapped, done, TRUE);
  CloseHandle(overlapped.hEvent);
  return good;
}

static DWORD WINAPI carry(void *argument) {
  const struct way *way = argument;
  BYTE bytes[16384];
  for (;;) {
    DWORD got = 0, written = 0;
    if (way->to_pipe ? !ReadFile(way->from, bytes, sizeof bytes, &got, NULL) : !transfer(way->from, false, bytes, sizeof bytes, &got)) break;
    if (got == 0) break;
    for (DWORD done = 0; done < got; done += written) {
      bool good = way->to_pipe ? transfer(way->to, true, bytes + done, got - done, &written)
                               : WriteFile(way->to, bytes + done, got - done, &written, NULL);
      if (!good || written == 0) return 1;
    }
  }
  return 0;
}

/*
 * connect PIPE: standard input and output are the connection. The owner is looked at on the handle that is then used, so there is no moment in
 * which another pipe could take its place. Exit code 3 without such a pipe, 5 when it is not the system's.
 */
int verb_connect(int argc, wchar_t **argv) {
  (void)argc;
  if (wcsncmp(argv[0], L"\\\\.\\pipe\\", 9) != 0) return USAGE;
  /* The other end may learn who we are, and not act in our name. */
  const DWORD flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
  HANDLE pipe = INVALID_HANDLE_VALUE;
  for (int tries = 0; tries < 50; tries++) {
    pipe = CreateFileW(argv[0], GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, flags, NULL);
    if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY) break;
    WaitNamedPipeW(argv[0], 100);
  }
  if (pipe == INVALID_HANDLE_VALUE) return failed("CreateFile", GetLastError());
  if (!is_systems(pipe)) {
    CloseHandle(pipe);
    return failed("the pipe is not the system's", ERROR_ACCESS_DENIED);
  }
  struct way out = {GetStdHandle(STD_INPUT_HANDLE), pipe, true}, in = {pipe, GetStdHandle(STD_OUTPUT_HANDLE), false};
  HANDLE thread = CreateThread(NULL, 0, carry, &out, 0, NULL);
  if (thread == NULL) return failed("CreateThread", GetLastError());
  /* The agent ends the connection when it has answered; what we still had to say does not matter then. */
  DWORD code = carry(&in);
  CloseHandle(thread);
  CloseHandle(pipe);
  ExitProcess(code == 0 ? DONE : FAILED);
}
