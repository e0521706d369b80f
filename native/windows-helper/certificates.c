/* The certificate stores of the machine, and the CNG key that goes with a certificate. */
#include "helper.h"

#include <bcrypt.h>
#include <ncrypt.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wincrypt.h>

#define HASH_LENGTH 32
#define KEY_LENGTH 96 /* x, y, d of a P-256 key */

static HCERTSTORE open_store(const wchar_t *name, bool read_only) {
  static const wchar_t *const known[] = {L"ROOT", L"CA", L"MY"};
  for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
    if (wcscmp(name, known[index]) != 0) continue;
    DWORD flags = CERT_SYSTEM_STORE_LOCAL_MACHINE | CERT_STORE_MAXIMUM_ALLOWED_FLAG;
    flags |= read_only ? CERT_STORE_READONLY_FLAG : 0;
    return CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, known[index]);
  }
  SetLastError(ERROR_INVALID_NAME);
  return NULL;
}

/* Over the bytes of the certificate; the store's own identifier is SHA-1. */
static bool hash_of(PCCERT_CONTEXT certificate, BYTE hash[HASH_LENGTH]) {
  DWORD size = HASH_LENGTH;
  return CryptHashCertificate2(BCRYPT_SHA256_ALGORITHM, 0, NULL, certificate->pbCertEncoded, certificate->cbCertEncoded,
                               hash, &size) && size == HASH_LENGTH;
}

static bool friendly_name(PCCERT_CONTEXT certificate, wchar_t *name, DWORD room) {
  DWORD size = room * sizeof *name;
  if (!CertGetCertificateContextProperty(certificate, CERT_FRIENDLY_NAME_PROP_ID, name, &size)) return false;
  name[room - 1] = L'\0';
  return true;
}

/* Every function of ncrypt.dll that is used: loaded, because not every Windows-like system has them all. */
struct cng {
  HMODULE library;
  SECURITY_STATUS(WINAPI *open)(NCRYPT_PROV_HANDLE *, LPCWSTR, DWORD);
  SECURITY_STATUS(WINAPI *import)(NCRYPT_PROV_HANDLE, NCRYPT_KEY_HANDLE, LPCWSTR, NCryptBufferDesc *, NCRYPT_KEY_HANDLE *,
                                  PBYTE, DWORD, DWORD);
  SECURITY_STATUS(WINAPI *set)(NCRYPT_HANDLE, LPCWSTR, PBYTE, DWORD, DWORD);
  SECURITY_STATUS(WINAPI *finalize)(NCRYPT_KEY_HANDLE, DWORD);
  SECURITY_STATUS(WINAPI *open_key)(NCRYPT_PROV_HANDLE, NCRYPT_KEY_HANDLE *, LPCWSTR, DWORD, DWORD);
  SECURITY_STATUS(WINAPI *delete_key)(NCRYPT_KEY_HANDLE, DWORD);
  SECURITY_STATUS(WINAPI *release)(NCRYPT_HANDLE);
};

static bool load_cng(struct cng *cng) {
  cng->library = LoadLibraryExW(L"ncrypt.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (cng->library == NULL) return false;
  const struct {
    const char *name;
    void *target;
  } wanted[] = {
      {"NCryptOpenStorageProvider", &cng->open}, {"NCryptImportKey", &cng->import},   {"NCryptSetProperty", &cng->set},
      {"NCryptFinalizeKey", &cng->finalize},     {"NCryptOpenKey", &cng->open_key},   {"NCryptDeleteKey", &cng->delete_key},
      {"NCryptFreeObject", &cng->release},
  };
  for (size_t index = 0; index < sizeof wanted / sizeof *wanted; index++) {
    FARPROC found = GetProcAddress(cng->library, wanted[index].name);
    if (found == NULL) return false;
    memcpy(wanted[index].target, &found, sizeof found);
  }
  return true;
}

/* The machine's software provider, which keeps the key under the name; it signs, and cannot be exported. */
static SECURITY_STATUS import_key(const struct cng *cng, const wchar_t *name, const BYTE key[KEY_LENGTH]) {
  struct {
    BCRYPT_ECCKEY_BLOB head;
    BYTE key[KEY_LENGTH];
  } blob = {{BCRYPT_ECDSA_PRIVATE_P256_MAGIC, 32}, {0}};
  NCRYPT_PROV_HANDLE provider = 0;
  NCRYPT_KEY_HANDLE handle = 0;
  SECURITY_STATUS status = cng->open(&provider, MS_KEY_STORAGE_PROVIDER, 0);
  if (status != ERROR_SUCCESS) return status;
  memcpy(blob.key, key, KEY_LENGTH);
  NCryptBuffer named = {(ULONG)((wcslen(name) + 1) * sizeof *name), NCRYPTBUFFER_PKCS_KEY_NAME, (void *)name};
  NCryptBufferDesc parameters = {NCRYPTBUFFER_VERSION, 1, &named};
  const DWORD flags = NCRYPT_MACHINE_KEY_FLAG | NCRYPT_OVERWRITE_KEY_FLAG | NCRYPT_SILENT_FLAG;
  status = cng->import(provider, 0, BCRYPT_ECCPRIVATE_BLOB, &parameters, &handle, (BYTE *)&blob, sizeof blob,
                       flags | NCRYPT_DO_NOT_FINALIZE_FLAG);
  SecureZeroMemory(&blob, sizeof blob);
  DWORD policy = 0; /* neither in clear nor wrapped */
  if (status == ERROR_SUCCESS) {
    status = cng->set(handle, NCRYPT_EXPORT_POLICY_PROPERTY, (BYTE *)&policy, sizeof policy, NCRYPT_PERSIST_FLAG);
    if (status == ERROR_SUCCESS) status = cng->finalize(handle, NCRYPT_SILENT_FLAG);
    cng->release(handle);
  }
  cng->release(provider);
  return status;
}

static void delete_key(const wchar_t *name) {
  struct cng cng;
  NCRYPT_PROV_HANDLE provider = 0;
  NCRYPT_KEY_HANDLE handle = 0;
  if (!load_cng(&cng) || cng.open(&provider, MS_KEY_STORAGE_PROVIDER, 0) != ERROR_SUCCESS) return;
  if (cng.open_key(provider, &handle, name, 0, NCRYPT_MACHINE_KEY_FLAG | NCRYPT_SILENT_FLAG) == ERROR_SUCCESS) {
    cng.delete_key(handle, NCRYPT_SILENT_FLAG); /* frees the handle too */
  }
  cng.release(provider);
}

/* certificate-add STORE FRIENDLY-NAME [KEY-NAME]: DER on standard input; with a key name, the 96 bytes of the key after it. */
int verb_certificate_add(int argc, wchar_t **argv) {
  const wchar_t *key_name = argc == 3 ? argv[2] : NULL;
  BYTE *input;
  DWORD length;
  if (!read_input(&input, &length)) return failed("standard input", GetLastError());
  if (key_name != NULL && length <= KEY_LENGTH) {
    wipe_input(input, length);
    return USAGE;
  }
  const DWORD size = length - (key_name == NULL ? 0 : KEY_LENGTH);
  int code = FAILED;
  struct cng cng = {0};
  PCCERT_CONTEXT added = NULL;
  HCERTSTORE store = open_store(argv[0], false);
  if (store == NULL) {
    code = failed("CertOpenStore", GetLastError());
  } else if (key_name != NULL && !load_cng(&cng)) {
    code = failed("ncrypt.dll", GetLastError());
  } else {
    SECURITY_STATUS status = key_name == NULL ? ERROR_SUCCESS : import_key(&cng, key_name, input + size);
    if (status != ERROR_SUCCESS) {
      code = failed("NCryptImportKey", (DWORD)status);
    } else if (!CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, input, size, CERT_STORE_ADD_REPLACE_EXISTING,
                                                 &added)) {
      code = failed("CertAddEncodedCertificateToStore", GetLastError());
    } else {
      CRYPT_DATA_BLOB name = {(DWORD)((wcslen(argv[1]) + 1) * sizeof(wchar_t)), (BYTE *)argv[1]};
      CRYPT_KEY_PROV_INFO info = {(wchar_t *)key_name, (wchar_t *)MS_KEY_STORAGE_PROVIDER, 0, CRYPT_MACHINE_KEYSET, 0, NULL, 0};
      bool done = CertSetCertificateContextProperty(added, CERT_FRIENDLY_NAME_PROP_ID, 0, &name) &&
                  (key_name == NULL || CertSetCertificateContextProperty(added, CERT_KEY_PROV_INFO_PROP_ID, 0, &info));
      code = done ? DONE : failed("CertSetCertificateContextProperty", GetLastError());
      CertFreeCertificateContext(added);
    }
  }
  if (store != NULL) CertCloseStore(store, 0);
  wipe_input(input, length);
  return code;
}

/* certificate-list STORE: each by its SHA-256, with the name we gave it and the key it goes with. */
int verb_certificate_list(int argc, wchar_t **argv) {
  (void)argc;
  HCERTSTORE store = open_store(argv[0], true);
  if (store == NULL) return failed("CertOpenStore", GetLastError());
  json_open('[');
  PCCERT_CONTEXT certificate = NULL;
  while ((certificate = CertEnumCertificatesInStore(store, certificate)) != NULL) {
    BYTE hash[HASH_LENGTH];
    wchar_t name[128];
    if (!hash_of(certificate, hash)) continue;
    json_open('{');
    json_name("sha256"), json_hex(hash, HASH_LENGTH);
    json_name("name");
    if (friendly_name(certificate, name, sizeof name / sizeof *name)) json_text(name);
    else json_null();
    DWORD size = 0;
    json_name("hasKey"), json_bool(CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, NULL, &size));
    json_close('}');
  }
  CertCloseStore(store, 0);
  json_close(']');
  return json_end();
}

/* certificate-remove STORE SHA256: and the key of ours that goes with it. One that is not there is no error. */
int verb_certificate_remove(int argc, wchar_t **argv) {
  (void)argc;
  BYTE wanted[HASH_LENGTH];
  if (wcslen(argv[1]) != 2 * HASH_LENGTH || wcsspn(argv[1], L"0123456789abcdef") != 2 * HASH_LENGTH) return USAGE;
  for (size_t index = 0; index < HASH_LENGTH; index++) {
    wchar_t pair[3] = {argv[1][2 * index], argv[1][2 * index + 1], 0};
    wanted[index] = (BYTE)wcstoul(pair, NULL, 16);
  }
  HCERTSTORE store = open_store(argv[0], false);
  if (store == NULL) return failed("CertOpenStore", GetLastError());
  int code = DONE;
  PCCERT_CONTEXT certificate = NULL;
  while ((certificate = CertEnumCertificatesInStore(store, certificate)) != NULL) {
    BYTE hash[HASH_LENGTH], info[2048];
    if (!hash_of(certificate, hash) || memcmp(hash, wanted, HASH_LENGTH) != 0) continue;
    DWORD size = sizeof info;
    if (CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, info, &size)) {
      const wchar_t *key = ((const CRYPT_KEY_PROV_INFO *)info)->pwszContainerName;
      if (key != NULL && wcsncmp(key, L"KiwiStack ", 10) == 0) delete_key(key);
    }
    /* Deleting frees the context that the enumeration stands on, so it is a copy that is deleted. */
    if (!CertDeleteCertificateFromStore(CertDuplicateCertificateContext(certificate))) {
      code = failed("CertDeleteCertificateFromStore", GetLastError());
    }
    CertFreeCertificateContext(certificate);
    /* Now, and not when the last context is freed: wine 8 leaves one behind. */
    if (code == DONE && !CertControlStore(store, 0, CERT_STORE_CTRL_COMMIT, NULL)) code = failed("CertControlStore", GetLastError());
    break;
  }
  CertCloseStore(store, 0);
  return code;
}
