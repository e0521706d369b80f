/*
 * libykcs11.dll of the test: PKCS#11 for one card with a key in slot 9c, as far as src/token/host asks, with libykcs11's numbers of keys, its codes and its
 * packing of structures. What the card remembers is in card.c, which is a library of its own, as libykpiv.dll is of the real one.
 */
#include <windows.h>

#include "card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The header is for those who import what is defined here. */
#undef __declspec
#define __declspec(what)
#pragma pack(push, cryptoki, 1)
#include <pkcs11/pkcs11.h>
#pragma pack(pop, cryptoki)

#define SLOT 0
#define SESSION 1
/* Numbers that libykcs11 gives to the keys in 9c and in f9. */
#define KEY_9C 2
#define KEY_F9 25

enum { CERTIFICATE = 1, ATTESTATION, ISSUER, PRIVATE_KEY, OBJECTS };

static struct {
  bool initialized, open, logged_in, signing, confirmed;
  CK_OBJECT_CLASS wanted;
  bool any_class;
  int wanted_id, next;
} state;

static void pad(CK_UTF8CHAR *field, size_t size, const char *text) {
  memset(field, ' ', size);
  memcpy(field, text, strlen(text));
}

CK_RV C_Initialize(CK_VOID_PTR arguments) {
  (void)arguments;
  if (state.initialized) return CKR_CRYPTOKI_ALREADY_INITIALIZED;
  memset(&state, 0, sizeof state);
  state.initialized = true;
  return CKR_OK;
}

CK_RV C_Finalize(CK_VOID_PTR reserved) {
  (void)reserved;
  memset(&state, 0, sizeof state);
  return CKR_OK;
}

CK_RV C_GetInfo(CK_INFO_PTR info) {
  memset(info, 0, sizeof *info);
  info->cryptokiVersion.major = 2;
  info->cryptokiVersion.minor = 40;
  pad(info->manufacturerID, sizeof info->manufacturerID, "Test");
  pad(info->libraryDescription, sizeof info->libraryDescription, "PKCS#11 PIV Library of a test");
  return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID_PTR list, CK_ULONG_PTR count) {
  (void)present;
  if (card_has("no-service")) return CKR_DEVICE_ERROR;
  CK_ULONG found = card_has("serial") ? 1 : 0;
  if (list != NULL) {
    if (*count < found) return CKR_BUFFER_TOO_SMALL;
    if (found == 1) list[0] = SLOT;
  }
  *count = found;
  return CKR_OK;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info) {
  if (slot != SLOT) return CKR_SLOT_ID_INVALID;
  memset(info, 0, sizeof *info);
  pad(info->slotDescription, sizeof info->slotDescription, "Yubico YubiKey OTP+FIDO+CCID 0");
  pad(info->manufacturerID, sizeof info->manufacturerID, "Yubico");
  info->flags = CKF_HW_SLOT | CKF_REMOVABLE_DEVICE | (card_has("held") ? 0 : CKF_TOKEN_PRESENT);
  return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  if (slot != SLOT) return CKR_SLOT_ID_INVALID;
  char serial[16] = {0}, label[32] = {0};
  if (card_read("serial", (unsigned char *)serial, sizeof serial - 1) < 1) return CKR_TOKEN_NOT_PRESENT;
  memset(info, 0, sizeof *info);
  snprintf(label, sizeof label, "YubiKey PIV #%s", serial);
  pad(info->label, sizeof info->label, label);
  pad(info->manufacturerID, sizeof info->manufacturerID, "Yubico (www.yubico.com)");
  pad(info->model, sizeof info->model, "YubiKey YK5");
  pad(info->serialNumber, sizeof info->serialNumber, serial);
  info->firmwareVersion.major = 5;
  info->firmwareVersion.minor = 43;
  CK_FLAGS tries[] = {CKF_USER_PIN_LOCKED, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_COUNT_LOW, 0};
  info->flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | CKF_TOKEN_INITIALIZED | tries[card_tries()];
  return CKR_OK;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR session) {
  (void)flags, (void)application, (void)notify;
  if (slot != SLOT || !card_has("serial")) return CKR_TOKEN_NOT_PRESENT;
  state.open = true;
  *session = SESSION;
  return CKR_OK;
}

CK_RV C_CloseSession(CK_SESSION_HANDLE session) {
  if (session != SESSION || !state.open) return CKR_SESSION_HANDLE_INVALID;
  state.open = false;
  return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info) {
  if (session != SESSION || !state.open) return CKR_SESSION_HANDLE_INVALID;
  memset(info, 0, sizeof *info);
  info->slotID = SLOT;
  info->state = state.logged_in ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
  info->flags = CKF_SERIAL_SESSION;
  return CKR_OK;
}

/* A PIN that cannot be one uses up no try; the code for the last wrong one is that of firmware 5.7. */
CK_RV C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
  if (session != SESSION || !state.open) return CKR_SESSION_HANDLE_INVALID;
  if (length < 6 || length > 8) return CKR_ARGUMENTS_BAD;
  if (user == CKU_CONTEXT_SPECIFIC && !state.signing) return CKR_OPERATION_NOT_INITIALIZED;
  bool right;
  int left = card_verify(pin, length, &right);
  if (!right) return left == 0 ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
  state.logged_in = true;
  state.confirmed = user == CKU_CONTEXT_SPECIFIC;
  return CKR_OK;
}

CK_RV C_Logout(CK_SESSION_HANDLE session) {
  state.logged_in = false;
  return session == SESSION ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

static CK_OBJECT_CLASS class_of(int object) { return object == PRIVATE_KEY ? CKO_PRIVATE_KEY : CKO_CERTIFICATE; }
static CK_BYTE id_of(int object) { return object == ISSUER ? KEY_F9 : KEY_9C; }

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
  if (session != SESSION || !state.open) return CKR_SESSION_HANDLE_INVALID;
  state.any_class = true, state.wanted_id = -1, state.next = CERTIFICATE;
  for (CK_ULONG index = 0; index < count; index++) {
    if (template[index].type == CKA_CLASS) state.wanted = *(CK_OBJECT_CLASS *)template[index].pValue, state.any_class = false;
    if (template[index].type == CKA_ID) state.wanted_id = *(CK_BYTE *)template[index].pValue;
  }
  return CKR_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG most, CK_ULONG_PTR count) {
  if (session != SESSION || !state.open) return CKR_SESSION_HANDLE_INVALID;
  for (*count = 0; *count < most && state.next < OBJECTS; state.next++) {
    if (state.next == PRIVATE_KEY && !state.logged_in) continue;
    if (!state.any_class && class_of(state.next) != state.wanted) continue;
    if (state.wanted_id >= 0 && id_of(state.next) != state.wanted_id) continue;
    objects[(*count)++] = (CK_OBJECT_HANDLE)state.next;
  }
  return CKR_OK;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE session) {
  return session == SESSION ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

/* The value of an attribute, and its length; -1 for one that the object has not. */
static int attribute(int object, CK_ATTRIBUTE_TYPE type, unsigned char *value) {
  static const char *const FILES[] = {[CERTIFICATE] = "9c.cer", [ATTESTATION] = "9c-attestation.cer", [ISSUER] = "f9.cer"};
  CK_ULONG number;
  CK_BYTE byte;
  switch (type) {
  case CKA_CLASS: number = class_of(object); break;
  case CKA_KEY_TYPE:
    if (object != PRIVATE_KEY) return -1;
    number = CKK_EC;
    break;
  case CKA_CERTIFICATE_TYPE:
    if (object == PRIVATE_KEY) return -1;
    number = CKC_X_509;
    break;
  case CKA_ID: byte = id_of(object); goto one;
  /* The attestation is made when it is asked for. */
  case CKA_TOKEN: byte = object != ATTESTATION; goto one;
  case CKA_VALUE: return object == PRIVATE_KEY ? -1 : card_read(FILES[object], value, MOST_BYTES);
  default: return -1;
  }
  memcpy(value, &number, sizeof number);
  return sizeof number;
one:
  *value = byte;
  return 1;
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
  if (session != SESSION || !state.open) return CKR_SESSION_HANDLE_INVALID;
  if (object < CERTIFICATE || object >= OBJECTS) return CKR_OBJECT_HANDLE_INVALID;
  CK_RV result = CKR_OK;
  for (CK_ULONG index = 0; index < count; index++) {
    unsigned char value[MOST_BYTES];
    int length = attribute((int)object, template[index].type, value);
    bool fits = template[index].pValue == NULL || length < 0 || (CK_ULONG)length <= template[index].ulValueLen;
    if (length < 0) result = CKR_ATTRIBUTE_TYPE_INVALID;
    if (!fits) result = CKR_BUFFER_TOO_SMALL;
    if (length > 0 && fits && template[index].pValue != NULL) memcpy(template[index].pValue, value, (size_t)length);
    template[index].ulValueLen = length < 0 || !fits ? CK_UNAVAILABLE_INFORMATION : (CK_ULONG)length;
  }
  return result;
}

CK_RV C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  if (session != SESSION || !state.open) return CKR_SESSION_HANDLE_INVALID;
  if (!state.logged_in) return CKR_USER_NOT_LOGGED_IN;
  if (mechanism->mechanism != CKM_ECDSA) return CKR_MECHANISM_INVALID;
  if (key != PRIVATE_KEY) return CKR_KEY_HANDLE_INVALID;
  state.signing = true, state.confirmed = false;
  return CKR_OK;
}

CK_RV C_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature, CK_ULONG_PTR room) {
  if (session != SESSION || !state.signing) return CKR_OPERATION_NOT_INITIALIZED;
  if (length != 32) return CKR_DATA_LEN_RANGE;
  if (signature == NULL) return *room = 64, CKR_OK;
  if (*room < 64) return CKR_BUFFER_TOO_SMALL;
  bool confirmed = state.confirmed;
  state.signing = state.confirmed = false;
  if (!confirmed) return CKR_USER_NOT_LOGGED_IN;
  if (card_has("pulled-when-signing")) return card_remove("serial"), CKR_FUNCTION_FAILED;
  *room = 64;
  return card_sign(data, signature) ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV absent(void) { return CKR_FUNCTION_NOT_SUPPORTED; }

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  static CK_FUNCTION_LIST functions;
  /* Whatever the arguments: the caller of x64 removes them. */
  CK_RV (**each)(void) = (CK_RV(**)(void))((char *)&functions + sizeof(CK_VERSION));
  for (size_t index = 0; index < (sizeof functions - sizeof(CK_VERSION)) / sizeof *each; index++) memcpy(&each[index], &(CK_RV(*)(void)){absent}, sizeof *each);
  functions.version.major = 2;
  functions.version.minor = 40;
#define HAS(name) functions.name = name
  HAS(C_Initialize), HAS(C_Finalize), HAS(C_GetInfo), HAS(C_GetFunctionList), HAS(C_GetSlotList), HAS(C_GetSlotInfo), HAS(C_GetTokenInfo);
  HAS(C_OpenSession), HAS(C_CloseSession), HAS(C_GetSessionInfo), HAS(C_Login), HAS(C_Logout), HAS(C_FindObjectsInit), HAS(C_FindObjects), HAS(C_FindObjectsFinal);
  HAS(C_GetAttributeValue), HAS(C_SignInit), HAS(C_Sign);
  *list = &functions;
  return CKR_OK;
}
