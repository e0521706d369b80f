"""Reads a component of a flat package with programs that are not ours: bill of materials by the crate apple-bom, property lists by plistlib."""

import json
import pathlib
import plistlib
import sys

import pyapplebom

bom, payload = sys.argv[1], pathlib.Path(sys.argv[2])
paths = pyapplebom.parse_bom_file(bom)["paths"]
jobs = {path.name: plistlib.loads(path.read_bytes()) for path in sorted(payload.glob("Library/LaunchDaemons/*.plist"))}
json.dump({"paths": paths, "jobs": jobs}, sys.stdout)
