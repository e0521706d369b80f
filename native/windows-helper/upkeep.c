/* The hourly check, and `mend` when something calls for it: what systemd's timer and native/tunnel-watcher are on Linux. */
#include "service.h"

#include <ws2tcpip.h>
#include <iphlpapi.h>
#include <netioapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define MINUTE_MS (60u * 1000u)
#define HOUR_MS (60u * MINUTE_MS)
/* A change of network comes in many messages. */
#define SETTLE_MS 500
#define LOOK_MS 5000
/* WireGuard answers one-way traffic after ten seconds, and begins a handshake of its own after fifteen. */
#define SILENT_MS 15000
#define RETRY_MIN_MS 30000
#define RETRY_MAX_MS (5u * MINUTE_MS)

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The enrollment's record, whose folder platform/windows/paths.ts names too. */
static bool is_enrolled(void) {
  wchar_t path[MAX_PATH];
  UINT length = GetSystemWindowsDirectoryW(path, MAX_PATH);
  if (length < 3 || length >= MAX_PATH) return false;
  wcscpy(path + 3, L"ProgramData\\KiwiStack\\State\\enrollment.json");
  return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

/* Bytes that our tunnels have sent and received. */
static bool read_traffic(uint64_t *sent, uint64_t *received) {
  MIB_IF_TABLE2 *table = NULL;
  bool found = false;
  *sent = *received = 0;
  if (GetIfTable2(&table) != NO_ERROR) return false;
  for (ULONG index = 0; index < table->NumEntries; index++) {
    if (wcsncmp(table->Table[index].Alias, L"kiwi-", 5) != 0) continue;
    *sent += table->Table[index].OutOctets;
    *received += table->Table[index].InOctets;
    found = true;
  }
  FreeMibTable(table);
  return found;
}

void upkeep_begin(struct upkeep *upkeep, uint64_t now) {
  memset(upkeep, 0, sizeof *upkeep);
  upkeep->retry_delay = RETRY_MIN_MS;
  /* Not every laptop of a customer at the same moment after a power cut. */
  srand((unsigned)(now ^ GetCurrentProcessId()));
  upkeep->check_due = now + MINUTE_MS + (uint64_t)rand() % (5 * MINUTE_MS);
  upkeep->look_due = now + LOOK_MS;
}

void upkeep_event(struct upkeep *upkeep, unsigned reasons, uint64_t now) {
  for (int reason = REASON_WAKE; reason > REASON_NONE; reason--) {
    if ((reasons & 1u << reason) == 0) continue;
    /* Not put off by what comes after the first: on a bad radio something changes all the time. */
    if (upkeep->pending == REASON_NONE) upkeep->pending_due = now + SETTLE_MS;
    if ((enum reason)reason > upkeep->pending) upkeep->pending = (enum reason)reason;
    return;
  }
}

/* True when the tunnel has sent for a while and received nothing. */
static bool is_silent(struct upkeep *upkeep, uint64_t now) {
  uint64_t sent, received;
  upkeep->look_due = now + LOOK_MS;
  if (!read_traffic(&sent, &received)) return false;
  bool unanswered = sent > upkeep->sent && received == upkeep->received;
  if (received != upkeep->received) {
    upkeep->unanswered_since = 0;
    upkeep->retry_delay = RETRY_MIN_MS;
  } else if (unanswered && upkeep->unanswered_since == 0) {
    upkeep->unanswered_since = now;
  }
  upkeep->sent = sent;
  upkeep->received = received;
  return unanswered && now - upkeep->unanswered_since >= SILENT_MS && now >= upkeep->quiet_until;
}

void upkeep_step(struct upkeep *upkeep, uint64_t now, HANDLE job) {
  if (upkeep->process != NULL) {
    DWORD code = 0;
    if (WaitForSingleObject(upkeep->process, 0) == WAIT_TIMEOUT) return;
    GetExitCodeProcess(upkeep->process, &code);
    CloseHandle(upkeep->process);
    upkeep->process = NULL;
    if (code != 0) service_log("the check or repair did not succeed, exit code", code);
  }
  if (now >= upkeep->look_due && is_silent(upkeep, now)) {
    upkeep_event(upkeep, 1u << REASON_SILENT, now);
    /* A dead slice does not empty the battery. */
    upkeep->quiet_until = now + upkeep->retry_delay;
    upkeep->retry_delay = earlier(upkeep->retry_delay * 2, RETRY_MAX_MS);
    upkeep->unanswered_since = 0;
  }
  static const wchar_t *const words[] = {L"", L"silent", L"clock", L"network", L"wake"};
  wchar_t arguments[96];
  if (upkeep->pending != REASON_NONE && now >= upkeep->pending_due) {
    _snwprintf(arguments, sizeof arguments / sizeof *arguments, L"kiwistack-enroll.js\" mend --reason %ls", words[upkeep->pending]);
    upkeep->pending = REASON_NONE;
  } else if (now >= upkeep->check_due) {
    wcscpy(arguments, L"kiwistack-enroll.js\" check");
    upkeep->check_due = now + HOUR_MS;
  } else {
    return;
  }
  if (is_enrolled()) upkeep->process = service_start(arguments, NULL, NULL, job);
}

DWORD upkeep_wait(const struct upkeep *upkeep, uint64_t now) {
  /* Until what is running has ended, which the caller waits for. */
  if (upkeep->process != NULL) return INFINITE;
  uint64_t due = earlier(upkeep->check_due, upkeep->look_due);
  if (upkeep->pending != REASON_NONE) due = earlier(due, upkeep->pending_due);
  return due <= now ? 0 : (DWORD)(due - now);
}
