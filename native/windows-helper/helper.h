/* What Node cannot do on Windows, one verb of the command line a function. See README.md. */
#ifndef KIWI_HELPER_H
#define KIWI_HELPER_H

#define WIN32_LEAN_AND_MEAN
#ifndef UNICODE
#define UNICODE
#endif
#ifndef _UNICODE
#define _UNICODE
#endif
#define _WIN32_WINNT 0x0A00
#include <winsock2.h>
#include <windows.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes: what the caller tells apart. */
enum { DONE = 0, FAILED = 1, USAGE = 2, NOT_FOUND = 3, UNSUPPORTED = 4, DENIED = 5 };

/* The most that is read from standard input, and that is printed. */
#define MAX_INPUT (256u * 1024u)
#define MAX_OUTPUT (4u * 1024u * 1024u)

/* --- main.c ----------------------------------------------------------------------------------------------------------- */

/* Says on standard error what failed, with the system's number for it. Returns the exit code that goes with it. */
int failed(const char *what, DWORD error);
/* Everything on standard input. The caller wipes it with `wipe_input`. False when it is too much, or cannot be read. */
bool read_input(BYTE **bytes, DWORD *length);
void wipe_input(BYTE *bytes, DWORD length);
bool write_output(const void *bytes, DWORD length);
/* A whole number in decimal, at most `most`; false for anything else. */
bool read_number(const wchar_t *text, DWORD most, DWORD *number);

/* --- json.c: what is printed ------------------------------------------------------------------------------------------ */

void json_open(char bracket);
void json_close(char bracket);
void json_name(const char *name);
void json_text(const wchar_t *text);
/* For text that is ASCII; what is not becomes `?`. */
void json_ascii(const char *text);
void json_number(uint64_t number);
void json_bool(bool value);
void json_null(void);
void json_hex(const BYTE *bytes, DWORD length);
/* Prints it all. Returns the exit code. */
int json_end(void);

/* --- The verbs. Each returns an exit code. ------------------------------------------------------------------------------ */

int verb_whoami(int argc, wchar_t **argv);
int verb_smbios(int argc, wchar_t **argv);
int verb_disks(int argc, wchar_t **argv);
int verb_adapters(int argc, wchar_t **argv);
int verb_routes(int argc, wchar_t **argv);
int verb_route_to(int argc, wchar_t **argv);
int verb_resolve(int argc, wchar_t **argv);
int verb_ping(int argc, wchar_t **argv);
int verb_seal(int argc, wchar_t **argv);
int verb_unseal(int argc, wchar_t **argv);
int verb_certificate_add(int argc, wchar_t **argv);
int verb_certificate_list(int argc, wchar_t **argv);
int verb_certificate_remove(int argc, wchar_t **argv);
int verb_key_add(int argc, wchar_t **argv);
int verb_key_list(int argc, wchar_t **argv);
int verb_key_remove(int argc, wchar_t **argv);
int verb_file_security(int argc, wchar_t **argv);
int verb_secure_file(int argc, wchar_t **argv);
int verb_secure_folder(int argc, wchar_t **argv);
int verb_products(int argc, wchar_t **argv);
int verb_services(int argc, wchar_t **argv);
int verb_log(int argc, wchar_t **argv);
int verb_sessions(int argc, wchar_t **argv);
int verb_notify(int argc, wchar_t **argv);
int verb_has_pipe(int argc, wchar_t **argv);
int verb_connect(int argc, wchar_t **argv);
int verb_service(int argc, wchar_t **argv);

/* --- identity.c: whose a token is ----------------------------------------------------------------------------------------- */

struct identity {
  wchar_t sid[192];
  DWORD session;
  bool system;
  /* A member of Administrators whose membership is switched on: elevated, where there is UAC. */
  bool administrator;
};
bool identity_of(HANDLE token, struct identity *identity);
/* True while somebody is at the screen of that session. */
bool session_is_active(DWORD session);

/* True for the system and for the group Administrators, whom nobody else can make the owner of anything. */
bool is_trusted_owner(PSID owner);
/* True for the user of this process. */
bool is_ourselves(PSID sid);

/* --- keys.c: keys of the machine in CNG --------------------------------------------------------------------------------------- */

/* The most characters of a key's name that we give, and its end: ours are half of that. */
#define MAX_KEY_NAME 256
/* True for a name that only a key of ours has. */
bool is_key_of_ours(const wchar_t *name);

/* --- security.c: a folder for the system and administrators alone -------------------------------------------------------- */

/* Makes it, or looks that it was one of them who did: C:\ProgramData lets everybody make folders. */
bool make_private_folder(const wchar_t *path);

/* --- pipe.c: the agent's named pipe ---------------------------------------------------------------------------------------- */

/* One more instance of it; the first refuses when another program has the name already. INVALID_HANDLE_VALUE when it cannot be. */
HANDLE pipe_listen(const wchar_t *name, const wchar_t *sddl, bool first);
struct client {
  DWORD pid;
  /* When its process was made, in units of 100 ns since 1601: with it, a process id names one process. */
  uint64_t started;
  struct identity identity;
};
/* Who has connected, found out in its own name. False when it does not let us, or is not there any more. */
bool pipe_client(HANDLE pipe, struct client *client);

/* --- host.c, events.c: parts of the service ----------------------------------------------------------------------------- */

/* Starts `node PROGRAM ARGUMENTS…`; with a handle, as descriptor 3. Standard error goes to `log`. NULL when it cannot be started. */
HANDLE host_start(const wchar_t *arguments, HANDLE connection, const wchar_t *environment, HANDLE log, HANDLE job);
/* A file in the folder of this program. */
bool beside_us(const wchar_t *name, wchar_t *path, size_t room);

#endif
