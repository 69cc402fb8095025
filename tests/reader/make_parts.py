# SPDX-License-Identifier: MIT
"""The parts of a .ttsb blob that know no offset: CONST, contract text, META.

In: a description and its laid-out tensors, as make_blob.py makes them. Out:
the section CONST of FORMAT.md, the text of its section 8, whose hash is the
contract id, and the line of canonical JSON of its section 10. Every tensor's
value is one leaf of its own dtype and shape: expressions are the compiler's.
"""
import json
import re
import struct


def pad(data, to):
    return data + bytes(-len(data) % to)


def constant_value(kind, items):
    if kind.endswith("string"):
        raw = [item.encode() for item in items]
        return b"".join(pad(struct.pack("<I", len(r)) + r + b"\0", 8) for r in raw)
    return struct.pack(f"<{len(items)}{'q' if kind.endswith('i64') else 'd'}", *items)


def const_section(constants):
    code = {"i64": 1, "f64": 2, "string": 3, "list-i64": 257, "list-f64": 258, "list-string": 259}
    table, body = struct.pack("<II", len(constants), 0), b""
    base = 8 + 24 * len(constants)
    for name, (kind, items) in sorted(constants.items()):
        at = base + len(body)
        body = pad(body + name.encode() + b"\0", 8)
        value = constant_value(kind, items)
        table += struct.pack("<6I", at, len(name), code[kind], len(items), base + len(body),
                             len(value))
        body += value
    return table + body


def quoted(text):
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f]", lambda m: f"\\x{ord(m[0]):02x}", text) + '"'


def constant_line(name, kind, items):
    show = {"i64": str, "f64": lambda x: struct.pack(">d", x).hex(), "string": quoted}
    return f"const {name} {kind} " + " ".join(show[kind.split("-")[-1]](x) for x in items)


def axis_type(t):
    return "[" + ",".join(f"{a}={d}" if a else f"{d}" for a, d in zip(t["axes"], t["shape"])) + "]"


def contract_text(blob, tensors):
    """Section 8; every tensor's value is a leaf of its own dtype and shape."""
    lines = ["ttsb contract 1", f"model {blob['model']}", f"revision {blob['revision']}"]
    lines += [constant_line(n, *c) for n, c in sorted(blob["constants"].items())]
    lines += [f"group {g['name']} {g['place']} {g['align']}" for g in blob["groups"]]
    leaf = 0
    for t in tensors:
        kind = axis_type(t)
        t["value"] = f"alias({t['alias']})" if t["alias"] else f"${leaf}:{t['dtype']} {kind}"
        leaf += not t["alias"]
        lines.append(f"tensor {t['name']} {t['dtype']} {kind} {blob['groups'][t['group']]['name']} "
                     f"{t['at']}{' optional' if 'optional' in t['flags'] else ''} = {t['value']}")
    return "\n".join(lines) + "\n"


def meta_section(contract, tensors):
    """Section 10; only plain strings come here, so json.dumps is canonical."""
    used = [t for t in tensors if not set(t["flags"]) & {"alias", "absent", "missing"}]
    sources = [{"digest": t["digest"], "dtype": t["dtype"], "name": "src." + t["name"],
                "shape": t["shape"]} for t in sorted(used, key=lambda t: t["name"])]
    records = [{"axes": t["axes"], "name": t["name"], "value": t["value"],
                "sources": ["src." + t["name"]] if t in used else []} for t in tensors]
    return json.dumps({"dropped": [], "format": 1, "sources": sources, "tensors": records,
                       "spec": {"contract": contract.hex()}},
                      sort_keys=True, separators=(",", ":")).encode()
