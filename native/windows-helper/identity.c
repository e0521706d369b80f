/* Whose a token is, and what it may. */
#include "helper.h"

#include <sddl.h>
#include <wchar.h>
#include <wtsapi32.h>

bool identity_of(HANDLE token, struct identity *identity) {
  union {
    TOKEN_USER user;
    BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  } user;
  DWORD size = 0;
  wchar_t *text = NULL;
  if (!GetTokenInformation(token, TokenUser, &user, sizeof user, &size)) return false;
  if (!ConvertSidToStringSidW(user.user.User.Sid, &text)) return false;
  bool fits = wcslen(text) < sizeof identity->sid / sizeof *text;
  if (fits) wcscpy(identity->sid, text);
  LocalFree(text);
  if (!fits || !GetTokenInformation(token, TokenSessionId, &identity->session, sizeof(DWORD), &size)) return false;

  BYTE sid[SECURITY_MAX_SID_SIZE];
  size = sizeof sid;
  if (!CreateWellKnownSid(WinLocalSystemSid, NULL, sid, &size)) return false;
  identity->system = EqualSid(sid, user.user.User.Sid);
  size = sizeof sid;
  if (!CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &size)) return false;
  /* Not a look into the list of groups: without elevation Administrators is in it too, for denials only. */
  HANDLE thread_token = token, copy = NULL;
  TOKEN_TYPE type;
  if (!GetTokenInformation(token, TokenType, &type, sizeof type, &size)) return false;
  if (type == TokenPrimary) {
    if (!DuplicateToken(token, SecurityIdentification, &copy)) return false;
    thread_token = copy;
  }
  BOOL member = FALSE;
  bool known = CheckTokenMembership(thread_token, sid, &member);
  if (copy != NULL) CloseHandle(copy);
  identity->administrator = member;
  return known;
}

bool is_trusted_owner(PSID owner) {
  static const WELL_KNOWN_SID_TYPE trusted[] = {WinLocalSystemSid, WinBuiltinAdministratorsSid};
  for (size_t index = 0; index < sizeof trusted / sizeof *trusted; index++) {
    BYTE sid[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof sid;
    if (CreateWellKnownSid(trusted[index], NULL, sid, &size) && EqualSid(sid, owner)) return true;
  }
  return false;
}

bool is_ourselves(PSID sid) {
  HANDLE token;
  union {
    TOKEN_USER user;
    BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  } user;
  DWORD size = 0;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return false;
  bool same = GetTokenInformation(token, TokenUser, &user, sizeof user, &size) && EqualSid(user.user.User.Sid, sid);
  CloseHandle(token);
  return same;
}

bool session_is_active(DWORD session) {
  WTS_CONNECTSTATE_CLASS *state = NULL;
  DWORD size = 0;
  if (!WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, session, WTSConnectState, (wchar_t **)&state, &size)) {
    return false;
  }
  bool active = size >= sizeof *state && *state == WTSActive;
  WTSFreeMemory(state);
  return active;
}

int verb_whoami(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  HANDLE token;
  struct identity identity;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, &token)) {
    return failed("OpenProcessToken", GetLastError());
  }
  bool known = identity_of(token, &identity);
  DWORD error = GetLastError();
  CloseHandle(token);
  if (!known) return failed("token", error);
  json_open('{');
  json_name("sid"), json_text(identity.sid);
  json_name("session"), json_number(identity.session);
  json_name("system"), json_bool(identity.system);
  json_name("administrator"), json_bool(identity.administrator);
  json_close('}');
  return json_end();
}
