/* DPAPI: bytes that only this machine can read again. Who may read the file that holds them is up to its ACL. */
#include "helper.h"

#include <dpapi.h>
#include <wchar.h>

/* The purpose goes in as entropy, so that what was sealed for one thing is not taken for another. */
static int pass(const wchar_t *purpose, bool seal) {
  DATA_BLOB in = {0}, out = {0}, entropy = {(DWORD)(wcslen(purpose) * sizeof *purpose), (BYTE *)purpose};
  if (entropy.cbData == 0 || entropy.cbData > 256) return USAGE;
  if (!read_input(&in.pbData, &in.cbData)) return failed("standard input", GetLastError());
  const DWORD flags = CRYPTPROTECT_UI_FORBIDDEN | CRYPTPROTECT_LOCAL_MACHINE;
  BOOL done = seal ? CryptProtectData(&in, NULL, &entropy, NULL, NULL, flags, &out)
                   : CryptUnprotectData(&in, NULL, &entropy, NULL, NULL, flags, &out);
  DWORD error = GetLastError();
  wipe_input(in.pbData, in.cbData);
  if (!done) return failed(seal ? "CryptProtectData" : "CryptUnprotectData", error);
  int code = write_output(out.pbData, out.cbData) ? DONE : FAILED;
  SecureZeroMemory(out.pbData, out.cbData);
  LocalFree(out.pbData);
  return code;
}

int verb_seal(int argc, wchar_t **argv) {
  (void)argc;
  return pass(argv[0], true);
}

int verb_unseal(int argc, wchar_t **argv) {
  (void)argc;
  return pass(argv[0], false);
}
