/*
 * vpcd's driver with one slot instead of two: a key in a USB port shows one reader. Everything goes to vpcd's driver, whose path is VPCD;
 * only how many slots there are is answered here. vpcd has that number in its code, not in a setting. It is built when a reader starts.
 * The types are those of pcsc-lite's ifdhandler.h.
 */
#include <dlfcn.h>
#include <stddef.h>

typedef unsigned long dword;
typedef unsigned char byte;
typedef struct {
  dword protocol, length;
} io_header;

enum { SLOTS_NUMBER = 0x0FAE, SUCCESS = 0, COMMUNICATION_ERROR = 612 };

static void *in_vpcd(const char *name) {
  static void *vpcd;
  if (!vpcd) vpcd = dlopen(VPCD, RTLD_NOW | RTLD_LOCAL);
  return vpcd ? dlsym(vpcd, name) : NULL;
}

#define FORWARD(name, types, arguments)         \
  long(*real) types = (long(*) types)in_vpcd(name); \
  return real ? real arguments : COMMUNICATION_ERROR

long IFDHGetCapabilities(dword lun, dword tag, dword *length, byte *value) {
  if (tag == SLOTS_NUMBER && length && *length >= 1 && value) {
    *value = 1;
    *length = 1;
    return SUCCESS;
  }
  FORWARD("IFDHGetCapabilities", (dword, dword, dword *, byte *), (lun, tag, length, value));
}

long IFDHCreateChannelByName(dword lun, char *device) {
  FORWARD("IFDHCreateChannelByName", (dword, char *), (lun, device));
}

long IFDHCreateChannel(dword lun, dword channel) {
  FORWARD("IFDHCreateChannel", (dword, dword), (lun, channel));
}

long IFDHCloseChannel(dword lun) {
  FORWARD("IFDHCloseChannel", (dword), (lun));
}

long IFDHSetCapabilities(dword lun, dword tag, dword length, byte *value) {
  FORWARD("IFDHSetCapabilities", (dword, dword, dword, byte *), (lun, tag, length, value));
}

long IFDHSetProtocolParameters(dword lun, dword protocol, byte flags, byte pts1, byte pts2, byte pts3) {
  FORWARD("IFDHSetProtocolParameters", (dword, dword, byte, byte, byte, byte), (lun, protocol, flags, pts1, pts2, pts3));
}

long IFDHPowerICC(dword lun, dword action, byte *atr, dword *length) {
  FORWARD("IFDHPowerICC", (dword, dword, byte *, dword *), (lun, action, atr, length));
}

long IFDHTransmitToICC(dword lun, io_header send, byte *out, dword out_length, byte *in, dword *in_length, io_header *back) {
  FORWARD("IFDHTransmitToICC", (dword, io_header, byte *, dword, byte *, dword *, io_header *),
          (lun, send, out, out_length, in, in_length, back));
}

long IFDHControl(dword lun, dword code, byte *out, dword out_length, byte *in, dword in_length, dword *returned) {
  FORWARD("IFDHControl", (dword, dword, byte *, dword, byte *, dword, dword *),
          (lun, code, out, out_length, in, in_length, returned));
}

long IFDHICCPresence(dword lun) {
  FORWARD("IFDHICCPresence", (dword), (lun));
}
