"""What a program or library for macOS says of itself, as JSON: read by LIEF, and its signature by the code of apple-codesign. One entry for each processor."""

import json
import plistlib
import sys

import apple_platform as apple
import lief

lief.logging.disable()
FLAT = -2
SELF = 0


def source_of(binding):
    """The library that a symbol is looked up in."""
    if binding.has_library:
        return binding.library.name
    return {FLAT: "flat", SELF: "self"}.get(binding.library_ordinal, binding.library_ordinal)


def seen(binary):
    bound = {}
    for binding in binary.bindings:
        if binding.has_symbol:
            bound.setdefault(source_of(binding), set()).add(binding.symbol.name)
    return {
        "processor": binary.header.cpu_type.name,
        "kind": binary.header.file_type.name,
        "name": next((lib.name for lib in binary.libraries if lib.command.name == "ID_DYLIB"), None),
        "libraries": [lib.name for lib in binary.libraries if lib.command.name != "ID_DYLIB"],
        "searchPaths": [command.path for command in binary.rpaths],
        "oldest": ".".join(map(str, binary.build_version.minos[:2])) if binary.has_build_version else None,
        "exports": sorted({symbol.name for symbol in binary.exported_symbols}),
        "bound": {source: sorted(names) for source, names in bound.items()},
    }


def signatures_of(path):
    for found in apple.read_signature(path):
        signature = found["entity"]["mach_o"].get("signature") or {}
        text = "\n".join(signature.get("entitlements_plist") or [])
        yield {
            "flags": (signature.get("code_directory") or {}).get("flags"),
            "slots": [blob["slot"] for blob in signature.get("blobs") or []],
            "entitlements": plistlib.loads(text.encode()) if text else {},
        }


path = sys.argv[1]
# Kept as long as its parts are read: they are places in its memory.
whole = lief.MachO.parse(path)
programs = [seen(whole.at(index)) for index in range(whole.size)]
print(json.dumps([{**program, "signature": signed} for program, signed in zip(programs, signatures_of(path), strict=True)]))
