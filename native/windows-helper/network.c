/* Adapters, routes and names, and a ping, without a program whose output depends on the language of Windows. */
#include "helper.h"

#include <ws2tcpip.h>
#include <iphlpapi.h>
#include <icmpapi.h>
#include <netioapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static void put_address(const struct sockaddr *address, int prefix) {
  char text[INET6_ADDRSTRLEN + 8] = "";
  char host[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host, sizeof host);
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host, sizeof host);
  }
  snprintf(text, sizeof text, prefix < 0 ? "%s" : "%s/%d", host, prefix);
  json_ascii(text);
}

/* The row of one adapter: whether it is hardware, its permanent address and its counters. */
static void put_row(const IP_ADAPTER_ADDRESSES *adapter) {
  MIB_IF_ROW2 row;
  memset(&row, 0, sizeof row);
  row.InterfaceLuid = adapter->Luid;
  row.InterfaceIndex = adapter->IfIndex;
  if (GetIfEntry2(&row) != NO_ERROR) return;
  json_name("hardware"), json_bool(row.InterfaceAndOperStatusFlags.HardwareInterface);
  json_name("permanentMac"), json_hex(row.PermanentPhysicalAddress, row.PhysicalAddressLength <= 8 ? row.PhysicalAddressLength : 0);
  json_name("received"), json_number(row.InOctets);
  json_name("sent"), json_number(row.OutOctets);
}

int verb_adapters(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  ULONG size = 64 * 1024;
  IP_ADAPTER_ADDRESSES *list = NULL;
  ULONG error = ERROR_BUFFER_OVERFLOW;
  for (int tries = 0; tries < 4 && error == ERROR_BUFFER_OVERFLOW && size < 4 * 1024 * 1024; tries++) {
    free(list);
    list = malloc(size);
    if (list == NULL) return failed("memory", ERROR_OUTOFMEMORY);
    error = GetAdaptersAddresses(AF_UNSPEC, GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST, NULL, list, &size);
  }
  json_open('[');
  for (const IP_ADAPTER_ADDRESSES *adapter = error == ERROR_SUCCESS ? list : NULL; adapter != NULL; adapter = adapter->Next) {
    json_open('{');
    json_name("name"), json_text(adapter->FriendlyName);
    json_name("description"), json_text(adapter->Description);
    json_name("guid"), json_ascii(adapter->AdapterName);
    json_name("index"), json_number(adapter->IfIndex);
    json_name("type"), json_number(adapter->IfType);
    json_name("mtu"), json_number(adapter->Mtu);
    json_name("up"), json_bool(adapter->OperStatus == IfOperStatusUp);
    json_name("mac"), json_hex(adapter->PhysicalAddress, adapter->PhysicalAddressLength <= 8 ? adapter->PhysicalAddressLength : 0);
    put_row(adapter);
    json_name("addresses"), json_open('[');
    for (const IP_ADAPTER_UNICAST_ADDRESS *one = adapter->FirstUnicastAddress; one != NULL; one = one->Next) {
      put_address(one->Address.lpSockaddr, one->OnLinkPrefixLength);
    }
    json_close(']');
    json_name("dnsServers"), json_open('[');
    for (const IP_ADAPTER_DNS_SERVER_ADDRESS *one = adapter->FirstDnsServerAddress; one != NULL; one = one->Next) {
      put_address(one->Address.lpSockaddr, -1);
    }
    json_close(']');
    json_close('}');
  }
  json_close(']');
  free(list);
  /* No adapter at all is an answer. */
  return error == ERROR_SUCCESS || error == ERROR_NO_DATA ? json_end() : failed("GetAdaptersAddresses", error);
}

/* IPv4 alone: the tunnel carries nothing else. */
int verb_routes(int argc, wchar_t **argv) {
  (void)argc, (void)argv;
  MIB_IPFORWARD_TABLE2 *table = NULL;
  DWORD error = GetIpForwardTable2(AF_INET, &table);
  if (error != NO_ERROR && error != ERROR_NOT_FOUND) return failed("GetIpForwardTable2", error);
  json_open('[');
  for (ULONG index = 0; table != NULL && index < table->NumEntries; index++) {
    const MIB_IPFORWARD_ROW2 *row = &table->Table[index];
    json_open('{');
    json_name("destination"), put_address((const struct sockaddr *)&row->DestinationPrefix.Prefix, row->DestinationPrefix.PrefixLength);
    json_name("nextHop"), put_address((const struct sockaddr *)&row->NextHop, -1);
    json_name("index"), json_number(row->InterfaceIndex);
    json_name("metric"), json_number(row->Metric);
    json_close('}');
  }
  if (table != NULL) FreeMibTable(table);
  json_close(']');
  return json_end();
}

static bool read_address(const wchar_t *text, SOCKADDR_INET *address) {
  memset(address, 0, sizeof *address);
  if (InetPtonW(AF_INET, text, &address->Ipv4.sin_addr) == 1) address->si_family = AF_INET;
  else if (InetPtonW(AF_INET6, text, &address->Ipv6.sin6_addr) == 1) address->si_family = AF_INET6;
  return address->si_family != 0;
}

/* route-to ADDRESS: the index of the adapter through which it leaves; exit code 3 when there is no way. */
int verb_route_to(int argc, wchar_t **argv) {
  (void)argc;
  SOCKADDR_INET address;
  if (!read_address(argv[0], &address)) return USAGE;
  DWORD index = 0;
  DWORD error = GetBestInterfaceEx((struct sockaddr *)&address, &index);
  if (error == ERROR_NETWORK_UNREACHABLE || error == ERROR_HOST_UNREACHABLE || error == ERROR_NOT_FOUND) return NOT_FOUND;
  if (error != NO_ERROR) return failed("GetBestInterfaceEx", error);
  json_open('{');
  json_name("index"), json_number(index);
  json_close('}');
  return json_end();
}

/* resolve NAME: its addresses, as every program here gets them. */
int verb_resolve(int argc, wchar_t **argv) {
  (void)argc;
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return failed("WSAStartup", (DWORD)WSAGetLastError());
  ADDRINFOW hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
  int error = GetAddrInfoW(argv[0], NULL, &hints, &found);
  json_open('[');
  for (const ADDRINFOW *one = error == 0 ? found : NULL; one != NULL; one = one->ai_next) put_address(one->ai_addr, -1);
  json_close(']');
  if (found != NULL) FreeAddrInfoW(found);
  return json_end();
}

/* ping ADDRESS MILLISECONDS BYTES: an echo of IPv4; with a size other than 0, that many bytes with all headers, which nobody may fragment. */
int verb_ping(int argc, wchar_t **argv) {
  (void)argc;
  SOCKADDR_INET address;
  DWORD patience, size;
  if (!read_address(argv[0], &address) || address.si_family != AF_INET) return USAGE;
  if (!read_number(argv[1], 60000, &patience) || !read_number(argv[2], 65535, &size)) return USAGE;
  static BYTE data[65536], reply[sizeof(ICMP_ECHO_REPLY) + 65536 + 8];
  const DWORD headers = 28;
  WORD payload = (WORD)(size > headers ? size - headers : 8);
  IP_OPTION_INFORMATION options = {.Ttl = 64, .Flags = size > 0 ? IP_FLAG_DF : 0};
  HANDLE icmp = IcmpCreateFile();
  if (icmp == INVALID_HANDLE_VALUE) return failed("IcmpCreateFile", GetLastError());
  DWORD replies = IcmpSendEcho2(icmp, NULL, NULL, NULL, address.Ipv4.sin_addr.s_addr, data, payload, &options, reply, sizeof reply, patience);
  IcmpCloseHandle(icmp);
  bool answered = replies > 0 && ((ICMP_ECHO_REPLY *)reply)->Status == IP_SUCCESS;
  return answered ? DONE : NOT_FOUND;
}
