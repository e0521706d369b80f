/* Owner and access rights of files. What they are to be is written by TypeScript, in the security descriptor definition language. */
#include "helper.h"

#include <aclapi.h>
#include <sddl.h>
#include <wchar.h>

static const SECURITY_INFORMATION READ_WHAT = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

/* A link is not followed but opened itself, and refused by what is done with it. */
static HANDLE open_itself(const wchar_t *path, DWORD access) {
  const DWORD flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
  return CreateFileW(path, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, flags, NULL);
}

/* file-security PATH: what it is, and its security descriptor as text. */
int verb_file_security(int argc, wchar_t **argv) {
  (void)argc;
  HANDLE file = open_itself(argv[0], READ_CONTROL | FILE_READ_ATTRIBUTES);
  if (file == INVALID_HANDLE_VALUE) return failed("CreateFile", GetLastError());
  BY_HANDLE_FILE_INFORMATION about;
  PSECURITY_DESCRIPTOR descriptor = NULL;
  wchar_t *text = NULL;
  int code;
  DWORD error = GetFileInformationByHandle(file, &about) ? ERROR_SUCCESS : GetLastError();
  if (error == ERROR_SUCCESS) error = GetSecurityInfo(file, SE_FILE_OBJECT, READ_WHAT, NULL, NULL, NULL, NULL, &descriptor);
  if (error != ERROR_SUCCESS) {
    code = failed("GetSecurityInfo", error);
  } else if (!ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1, READ_WHAT, &text, NULL)) {
    code = failed("ConvertSecurityDescriptorToStringSecurityDescriptor", GetLastError());
  } else {
    bool link = (about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
    bool folder = (about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    json_open('{');
    json_name("kind"), json_ascii(link ? "other" : folder ? "folder" : "file");
    json_name("security"), json_text(text);
    json_close('}');
    code = json_end();
    LocalFree(text);
  }
  if (descriptor != NULL) LocalFree(descriptor);
  CloseHandle(file);
  return code;
}

/* secure-file PATH SDDL: gives a file or folder this owner and these rights, and nothing of its folder's. */
int verb_secure_file(int argc, wchar_t **argv) {
  (void)argc;
  PSECURITY_DESCRIPTOR descriptor = NULL;
  PSID owner = NULL;
  PACL rights = NULL;
  BOOL present, defaulted;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(argv[1], SDDL_REVISION_1, &descriptor, NULL) ||
      !GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) ||
      !GetSecurityDescriptorDacl(descriptor, &present, &rights, &defaulted) || owner == NULL || rights == NULL) {
    return failed("the security descriptor", ERROR_INVALID_SECURITY_DESCR);
  }
  int code;
  HANDLE file = open_itself(argv[0], READ_CONTROL | WRITE_DAC | WRITE_OWNER | FILE_READ_ATTRIBUTES);
  BY_HANDLE_FILE_INFORMATION about;
  if (file == INVALID_HANDLE_VALUE || !GetFileInformationByHandle(file, &about)) {
    code = failed("CreateFile", GetLastError());
  } else if ((about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    code = failed("a link", ERROR_ACCESS_DENIED);
  } else {
    /* Protected: what its folder would hand down does not come back. */
    const SECURITY_INFORMATION what =
        OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    DWORD error = SetSecurityInfo(file, SE_FILE_OBJECT, what, owner, NULL, rights, NULL);
    code = error == ERROR_SUCCESS ? DONE : failed("SetSecurityInfo", error);
  }
  if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
  LocalFree(descriptor);
  return code;
}

bool make_private_folder(const wchar_t *path) {
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, NULL, FALSE};
  const wchar_t *sddl = L"O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL)) return false;
  BOOL made = CreateDirectoryW(path, &attributes);
  bool there = GetLastError() == ERROR_ALREADY_EXISTS;
  LocalFree(attributes.lpSecurityDescriptor);
  if (made || !there) return made;
  HANDLE folder = open_itself(path, READ_CONTROL | FILE_READ_ATTRIBUTES);
  BY_HANDLE_FILE_INFORMATION about;
  PSECURITY_DESCRIPTOR descriptor = NULL;
  PSID owner = NULL;
  bool ours = folder != INVALID_HANDLE_VALUE && GetFileInformationByHandle(folder, &about) &&
              (about.dwFileAttributes & (FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY)) == FILE_ATTRIBUTE_DIRECTORY &&
              GetSecurityInfo(folder, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &descriptor) == ERROR_SUCCESS &&
              (is_trusted_owner(owner) || is_ourselves(owner));
  if (descriptor != NULL) LocalFree(descriptor);
  if (folder != INVALID_HANDLE_VALUE) CloseHandle(folder);
  return ours;
}

/* secure-folder PATH SDDL: makes it with these rights from its first moment; one that is there is given them. */
int verb_secure_folder(int argc, wchar_t **argv) {
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, NULL, FALSE};
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(argv[1], SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL)) {
    return failed("the security descriptor", ERROR_INVALID_SECURITY_DESCR);
  }
  BOOL made = CreateDirectoryW(argv[0], &attributes);
  DWORD error = GetLastError();
  LocalFree(attributes.lpSecurityDescriptor);
  if (made) return DONE;
  return error == ERROR_ALREADY_EXISTS ? verb_secure_file(argc, argv) : failed("CreateDirectory", error);
}
