/*
 * Keys of the machine in CNG's software provider, for programs of Windows that use the device certificate. Only those with a name of ours:
 * whatever the command line says, no other program's key is looked at or removed.
 */
#include "helper.h"

#include <bcrypt.h>
#include <ncrypt.h>
#include <sddl.h>
#include <wchar.h>

static const DWORD MACHINE = NCRYPT_MACHINE_KEY_FLAG | NCRYPT_SILENT_FLAG;

bool is_key_of_ours(const wchar_t *name) {
  static const wchar_t ours[] = L"KiwiStack ";
  return wcsncmp(name, ours, sizeof ours / sizeof *ours - 1) == 0 && wcslen(name) < MAX_KEY_NAME;
}

/*
 * key-add NAME SDDL: a BCRYPT_ECCPRIVATE_BLOB on standard input. Rights and policy are set before NCryptFinalizeKey, which is what stores a key:
 * there is none at any moment that could be exported or that others may use. A key that is there already is not replaced.
 */
int verb_key_add(int argc, wchar_t **argv) {
  (void)argc;
  if (!is_key_of_ours(argv[0])) return USAGE;
  PSECURITY_DESCRIPTOR rights = NULL;
  ULONG rights_size = 0;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(argv[1], SDDL_REVISION_1, &rights, &rights_size)) {
    return failed("the security descriptor", ERROR_INVALID_SECURITY_DESCR);
  }
  BYTE *blob;
  DWORD length;
  if (!read_input(&blob, &length)) {
    LocalFree(rights);
    return failed("standard input", GetLastError());
  }
  NCryptBuffer named = {(ULONG)((wcslen(argv[0]) + 1) * sizeof **argv), NCRYPTBUFFER_PKCS_KEY_NAME, argv[0]};
  NCryptBufferDesc parameters = {NCRYPTBUFFER_VERSION, 1, &named};
  DWORD policy = 0; /* neither in clear nor wrapped, nor once for an archive */
  NCRYPT_PROV_HANDLE provider = 0;
  NCRYPT_KEY_HANDLE key = 0;
  const char *what = "NCryptOpenStorageProvider";
  SECURITY_STATUS status = NCryptOpenStorageProvider(&provider, MS_KEY_STORAGE_PROVIDER, 0);
  if (status == ERROR_SUCCESS) {
    what = "NCryptImportKey";
    status = NCryptImportKey(provider, 0, BCRYPT_ECCPRIVATE_BLOB, &parameters, &key, blob, length,
                             MACHINE | NCRYPT_DO_NOT_FINALIZE_FLAG);
  }
  wipe_input(blob, length);
  if (status == ERROR_SUCCESS) {
    what = "NCryptSetProperty(Export Policy)";
    status = NCryptSetProperty(key, NCRYPT_EXPORT_POLICY_PROPERTY, (BYTE *)&policy, sizeof policy, NCRYPT_PERSIST_FLAG);
  }
  if (status == ERROR_SUCCESS) {
    what = "NCryptSetProperty(Security Descr)";
    status = NCryptSetProperty(key, NCRYPT_SECURITY_DESCR_PROPERTY, rights, rights_size,
                               NCRYPT_PERSIST_FLAG | DACL_SECURITY_INFORMATION);
  }
  if (status == ERROR_SUCCESS) {
    what = "NCryptFinalizeKey";
    status = NCryptFinalizeKey(key, NCRYPT_SILENT_FLAG);
  }
  int code = status == ERROR_SUCCESS ? DONE : failed(what, (DWORD)status);
  if (key != 0) NCryptFreeObject(key);
  if (provider != 0) NCryptFreeObject(provider);
  LocalFree(rights);
  return code;
}

/* The rights of a key as text; null where the provider does not tell them. */
static void put_security(NCRYPT_KEY_HANDLE key) {
  const SECURITY_INFORMATION wanted = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  union {
    SECURITY_DESCRIPTOR descriptor;
    BYTE room[4096];
  } found;
  DWORD size = 0;
  wchar_t *text = NULL;
  if (NCryptGetProperty(key, NCRYPT_SECURITY_DESCR_PROPERTY, found.room, sizeof found, &size, wanted) == ERROR_SUCCESS &&
      ConvertSecurityDescriptorToStringSecurityDescriptorW(&found.descriptor, SDDL_REVISION_1, wanted, &text, NULL)) {
    json_text(text);
    LocalFree(text);
  } else {
    json_null();
  }
}

/* What cannot be found out about it is null. */
static void put_key(NCRYPT_PROV_HANDLE provider, const wchar_t *name) {
  BYTE public_key[sizeof(BCRYPT_ECCKEY_BLOB) + 2 * 32];
  DWORD size = 0, policy = 0;
  NCRYPT_KEY_HANDLE key = 0;
  if (NCryptOpenKey(provider, &key, name, 0, MACHINE) != ERROR_SUCCESS) key = 0;
  json_open('{');
  json_name("name"), json_text(name);
  json_name("publicKey");
  if (key != 0 && NCryptExportKey(key, 0, BCRYPT_ECCPUBLIC_BLOB, NULL, public_key, sizeof public_key, &size, NCRYPT_SILENT_FLAG) == ERROR_SUCCESS) {
    json_hex(public_key, size);
  } else {
    json_null();
  }
  json_name("exportPolicy");
  if (key != 0 && NCryptGetProperty(key, NCRYPT_EXPORT_POLICY_PROPERTY, (BYTE *)&policy, sizeof policy, &size, 0) == ERROR_SUCCESS) {
    json_number(policy);
  } else {
    json_null();
  }
  json_name("security");
  if (key != 0) put_security(key);
  else json_null();
  json_close('}');
  if (key != 0) NCryptFreeObject(key);
}

/* key-list: those of ours, each with its public key as a BCRYPT_ECCPUBLIC_BLOB. */
int verb_key_list(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  NCRYPT_PROV_HANDLE provider = 0;
  SECURITY_STATUS status = NCryptOpenStorageProvider(&provider, MS_KEY_STORAGE_PROVIDER, 0);
  if (status != ERROR_SUCCESS) return failed("NCryptOpenStorageProvider", (DWORD)status);
  NCryptKeyName *found = NULL;
  void *place = NULL;
  json_open('[');
  while ((status = NCryptEnumKeys(provider, NULL, &found, &place, MACHINE)) == ERROR_SUCCESS) {
    if (is_key_of_ours(found->pszName)) put_key(provider, found->pszName);
    NCryptFreeBuffer(found);
  }
  json_close(']');
  if (place != NULL) NCryptFreeBuffer(place);
  NCryptFreeObject(provider);
  return status == NTE_NO_MORE_ITEMS ? json_end() : failed("NCryptEnumKeys", (DWORD)status);
}

/* key-remove NAME: one that is not there is no error. */
int verb_key_remove(int argc, wchar_t **argv) {
  (void)argc;
  if (!is_key_of_ours(argv[0])) return USAGE;
  NCRYPT_PROV_HANDLE provider = 0;
  NCRYPT_KEY_HANDLE key = 0;
  SECURITY_STATUS status = NCryptOpenStorageProvider(&provider, MS_KEY_STORAGE_PROVIDER, 0);
  if (status != ERROR_SUCCESS) return failed("NCryptOpenStorageProvider", (DWORD)status);
  int code = DONE;
  status = NCryptOpenKey(provider, &key, argv[0], 0, MACHINE);
  if (status == ERROR_SUCCESS) {
    status = NCryptDeleteKey(key, NCRYPT_SILENT_FLAG); /* frees the handle, if it succeeds */
    if (status != ERROR_SUCCESS) {
      NCryptFreeObject(key);
      code = failed("NCryptDeleteKey", (DWORD)status);
    }
  } else if (status != NTE_BAD_KEYSET && status != NTE_NOT_FOUND) {
    code = failed("NCryptOpenKey", (DWORD)status);
  }
  NCryptFreeObject(provider);
  return code;
}
