"""Signs and looks at what macOS runs and installs, with the code of apple-codesign (PyPI: apple-platform-py). The request comes as JSON by standard
input, the answer leaves as JSON: no key and no name is an argument."""

import hashlib
import json
import pathlib
import plistlib
import sys
import xml.etree.ElementTree as ElementTree
import zlib

import apple_platform as apple

MAGIC = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def is_program(file):
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(4) in MAGIC


def programs_of(path):
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if is_program(file))


def scopes_of(path, entitlements):
    """The hardened runtime for each program and bundle of an application; what it may do all the same, for those that compile as they run."""
    hardened = apple.PathSettings(code_signature_flags=["runtime"], entitlements_xml_file=entitlements)
    if path.is_file():
        return {"@main": hardened}
    scopes = {"@main": hardened}
    for found in sorted(path.rglob("*")):
        inside = str(found.relative_to(path))
        if found.is_dir() and not found.is_symlink() and found.suffix == ".app":
            scopes[inside] = hardened
        elif is_program(found):
            scopes[inside] = apple.PathSettings(code_signature_flags=["runtime"])
    return scopes


def sign(request):
    path = pathlib.Path(request["path"])
    signer = apple.Signer(pem=apple.PemKey(files=[request["key"]]))
    code = {} if path.suffix == ".pkg" else {"paths": scopes_of(path, request["entitlements"])}
    if path.is_file() and path.suffix != ".pkg":
        code["binary_identifier"] = request["identifier"]
    apple.sign(str(path), signer=signer, timestamp_url=request["timestamp"] or "none", **code)


def faults_of_seal(resources):
    """A bundle by its seal (CodeResources): the files that it names, by their hashes; and the seal itself and Info.plist, by those in the signature."""
    base = resources.parent.parent
    info = next(file for file in (base / "Info.plist", base / "Resources/Info.plist") if file.is_file())
    try:
        sealed = plistlib.loads(resources.read_bytes())["files2"]
        name = plistlib.loads(info.read_bytes())["CFBundleExecutable"]
    except Exception as error:
        return [f"{base.name} is not as it was signed: {error}"]
    program = next(file for file in (base / "MacOS" / name, base / name) if file.is_file())
    found = apple.read_signature(str(program))[0]["entity"]["mach_o"]["signature"]["code_directory"]
    slots = dict(slot.split(": ") for slot in found["slot_digests"])
    wanted = {info: slots.get("Info (1)"), resources: slots.get("Resources (3)")}
    for inside, rule in sealed.items():
        if isinstance(rule, dict) and "hash2" in rule:
            wanted[base / inside] = rule["hash2"].hex()
    return [
        f"{file.name} is not as it was signed"
        for file, digest in wanted.items()
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest
    ]


def faults_of_members(package):
    """Each member of a package by the checksum that its table of contents, which is signed, has of it."""
    data = package.read_bytes()
    header, packed = int.from_bytes(data[4:6], "big"), int.from_bytes(data[8:16], "big")
    heap = header + packed
    faults = []
    for file in ElementTree.fromstring(zlib.decompress(data[header:heap])).iter("file"):
        found = file.find("data")
        if found is None:
            continue
        start, length = heap + int(found.findtext("offset")), int(found.findtext("length"))
        checksum = found.find("archived-checksum")
        digest = hashlib.new(checksum.get("style").lower(), data[start : start + length]).hexdigest()
        if digest != checksum.text:
            faults.append(f"{file.findtext('name')} is not as it was signed")
    return faults


def look(request):
    path = pathlib.Path(request["path"])
    if path.suffix == ".pkg":
        signed = apple.read_signature(str(path))[0]["entity"]["xar_table_of_contents"]
        cms = signed.get("cms_signature")
        if cms is None:
            return {"signer": None, "faults": ["it is not signed"]}
        checks = ("checksum_verifies", "cms_signature_verifies", "rsa_signature_verifies")
        faults = [f"not so: {check}" for check in checks if not signed.get(check)]
        return {"signer": cms["certificates"][0]["subject"], "faults": faults + faults_of_members(path)}
    faults = []
    for program in programs_of(path):
        faults += [f"{program.name}: {one['description']}" for one in apple.verify_macho(str(program))]
    if path.is_dir() and not faults:
        faults = [fault for seal in sorted(path.rglob("_CodeSignature/CodeResources")) for fault in faults_of_seal(seal)]
    first = programs_of(path / "Contents/MacOS" if path.is_dir() else path)[0]
    return {"signer": signer_of(apple.read_signature(str(first))), "faults": faults}


def signer_of(found):
    if isinstance(found, dict):
        certificates = found.get("certificates")
        if certificates:
            return certificates[0]["subject"]
        found = list(found.values())
    if isinstance(found, list):
        return next((signer for signer in map(signer_of, found) if signer is not None), None)
    return None


asked = json.load(sys.stdin)
print(json.dumps({"sign": sign, "look": look}[asked["do"]](asked)))
