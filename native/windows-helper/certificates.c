/* The certificate stores of the machine. Their keys are in keys.c. */
#include "helper.h"

#include <bcrypt.h>
#include <ncrypt.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wincrypt.h>

#define HASH_LENGTH 32

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

/* What a certificate in a store says of itself; those that we put there carry both. */
static bool set_properties(PCCERT_CONTEXT certificate, wchar_t *name, wchar_t *key_name) {
  CRYPT_DATA_BLOB named = {(DWORD)((wcslen(name) + 1) * sizeof *name), (BYTE *)name};
  CRYPT_KEY_PROV_INFO info = {key_name, (wchar_t *)MS_KEY_STORAGE_PROVIDER, 0, CRYPT_MACHINE_KEYSET, 0, NULL, 0};
  return CertSetCertificateContextProperty(certificate, CERT_FRIENDLY_NAME_PROP_ID, 0, &named) &&
         (key_name == NULL || CertSetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, 0, &info));
}

/*
 * certificate-add STORE FRIENDLY-NAME [KEY-NAME]: DER on standard input, with the key of ours that goes with it. Its properties are set before it
 * gets into the store, so that a run that is killed leaves no certificate there that nobody takes for ours.
 */
int verb_certificate_add(int argc, wchar_t **argv) {
  wchar_t *key_name = argc == 3 ? argv[2] : NULL;
  if (key_name != NULL && !is_key_of_ours(key_name)) return USAGE;
  BYTE *input;
  DWORD length;
  if (!read_input(&input, &length)) return failed("standard input", GetLastError());
  int code = DONE;
  HCERTSTORE store = open_store(argv[0], false);
  PCCERT_CONTEXT made = NULL;
  if (store == NULL) {
    code = failed("CertOpenStore", GetLastError());
  } else if ((made = CertCreateCertificateContext(X509_ASN_ENCODING, input, length)) == NULL) {
    code = failed("CertCreateCertificateContext", GetLastError());
  } else if (!set_properties(made, argv[1], key_name)) {
    code = failed("CertSetCertificateContextProperty", GetLastError());
  } else if (!CertAddCertificateContextToStore(store, made, CERT_STORE_ADD_REPLACE_EXISTING, NULL)) {
    code = failed("CertAddCertificateContextToStore", GetLastError());
  }
  if (made != NULL) CertFreeCertificateContext(made);
  if (store != NULL) CertCloseStore(store, 0);
  wipe_input(input, length);
  return code;
}

/* The name of the key that a certificate goes with; null when it goes with none. */
static void put_key_name(PCCERT_CONTEXT certificate) {
  union {
    CRYPT_KEY_PROV_INFO info;
    BYTE room[2048];
  } found;
  DWORD size = sizeof found;
  if (CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, found.room, &size)) {
    json_text(found.info.pwszContainerName == NULL ? L"" : found.info.pwszContainerName);
  } else if (GetLastError() == ERROR_MORE_DATA) {
    json_ascii(""); /* longer than any of ours */
  } else {
    json_null();
  }
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
    json_name("key"), put_key_name(certificate);
    json_close('}');
  }
  CertCloseStore(store, 0);
  json_close(']');
  return json_end();
}

/* certificate-remove STORE SHA256: one that is not there is no error. The key that it goes with stays: another certificate may go with it too. */
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
    BYTE hash[HASH_LENGTH];
    if (!hash_of(certificate, hash) || memcmp(hash, wanted, HASH_LENGTH) != 0) continue;
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
