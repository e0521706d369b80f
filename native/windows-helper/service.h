/* What the parts of the service share. */
#ifndef KIWI_SERVICE_H
#define KIWI_SERVICE_H

#include "helper.h"

#define AGENT_SERVICE L"kiwistack-agent"
#define AGENT_PIPE L"\\\\.\\pipe\\kiwistack-enroll"
/*
 * Everything for the system and administrators, reading and writing for people at a screen; not by network. Nobody but the first two may make
 * another instance (FILE_CREATE_PIPE_INSTANCE is the bit 4, which FRFW without it is 0x12019b). platform/windows/sddl.ts says the same.
 */
#define AGENT_PIPE_SDDL L"O:SYG:SYD:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x12019b;;;IU)"

enum reason { REASON_NONE, REASON_SILENT, REASON_CLOCK, REASON_NETWORK, REASON_WAKE };

/* --- service-log.c: what the service and what it starts have to say ---------------------------------------------------- */

/* One line of ours; `error` is the system's number, 0 for none. Errors get into the event log too. */
void service_log(const char *what, DWORD error);
/* As host_start, with our environment and one more variable; what it writes to standard error gets into the log, line by line. */
HANDLE service_start(const wchar_t *arguments, HANDLE connection, const wchar_t *variable, HANDLE job);

/* --- upkeep.c: what is to be done by itself, and when -------------------------------------------------------------------- */

struct upkeep {
  /* Of the program that is running; NULL when none is. */
  HANDLE process;
  enum reason pending;
  uint64_t pending_due, check_due, look_due, quiet_until, retry_delay;
  uint64_t sent, received, unanswered_since;
};
void upkeep_begin(struct upkeep *upkeep, uint64_t now);
/* @param reasons a bit each */
void upkeep_event(struct upkeep *upkeep, unsigned reasons, uint64_t now);
/* Starts what is due; one program at a time. */
void upkeep_step(struct upkeep *upkeep, uint64_t now, HANDLE job);
/* Milliseconds until something may be due. */
DWORD upkeep_wait(const struct upkeep *upkeep, uint64_t now);

#endif
