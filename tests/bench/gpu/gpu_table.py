# SPDX-License-Identifier: MIT
"""The bench's figures: minima, medians, ratios, goals, as Markdown.

In: a dict as gpu_run.py writes it to gpu.json: {"machine": {...}, "notes":
[...], "blobs": {name: {"bytes": n, "tensors": n, "group_share": x,
"series": {"warm": {row: [sample...]}, "cold": {...}}}}, "sweep": {label:
[sample...]}, "checks": [...]}. A sample is a reply of a worker: `seconds`, and
what else it has, or `error`. Out: texts. Nothing is measured here and nothing is
left out: a row that failed says so."""
import statistics

LIMIT = "pinned cudaMemcpy (the limit)"
PAGEABLE = "pageable cudaMemcpy from the mapping"
AUTO = "ttsb auto"
HOST_VERIFY = "ttsb auto, host verify"
DEVICE_VERIFY = "ttsb auto, device verify"
LOAD_FILE = "safetensors load_file"
FAST = "fastsafetensors"

WARM_SHARE = 0.95
VERIFY_COST = 0.03
FIRST_GROUP_SLACK = 0.005
SMALL_FACTOR = 5.0


def seconds(samples):
    return [s["seconds"] for s in samples or [] if "error" not in s]


def errors(samples):
    return sorted({s["error"] for s in samples or [] if "error" in s})


def least(samples):
    times = seconds(samples)
    return min(times) if times else None


def middle(samples, key="seconds"):
    values = [s[key] for s in samples or [] if "error" not in s and key in s]
    return statistics.median(values) if values else None


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |",
             "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def ms(value):
    return "-" if value is None else f"{value * 1e3:.2f}"


def mib(value):
    return "-" if value is None else f"{value / 2**20:.0f}"


def speed(size, time):
    return "-" if not time else f"{size / time / 1e9:.2f}"


def ratio(a, b):
    return "-" if not a or not b else f"{a / b:.3f}"


def path_of(samples):
    paths = sorted({s["path"] for s in samples if "path" in s})
    return ", ".join(paths) or "-"


def pinned_of(samples):
    values = [s["pinned_bytes"] for s in samples if "pinned_bytes" in s]
    return max(values) if values else None


def resident_of(samples):
    """How far the resident set rose, mapped pages included."""
    values = [s["rss_peak"] - s["rss_before"] for s in samples
              if "rss_peak" in s and "rss_before" in s]
    return max(values) if values else None


def series_rows(size, rows, limit):
    out = []
    for name, samples in rows.items():
        best, mid = least(samples), middle(samples)
        if best is None:
            said = "; ".join(errors(samples)) or "not run"
            out.append([name, "0", f"FAILED: {said}"] + ["-"] * 7)
            continue
        failed = len(errors(samples)) and f" ({'; '.join(errors(samples))})"
        out.append([name + (failed or ""), str(len(seconds(samples))),
                    ms(best), ms(mid), speed(size, best), speed(size, mid),
                    ratio(limit, mid), path_of(samples),
                    mib(pinned_of(samples)), mib(resident_of(samples))])
    return out


def stage_rows(rows):
    """The upload's own report: medians in ms; threads' times are sums."""
    keys = ("setup_ns", "first_group_ns", "copy_ns", "verify_ns", "total_ns",
            "fill_ns", "wait_ns")
    out = []
    for name, samples in rows.items():
        values = [middle(samples, key) for key in keys]
        if values[0] is None:
            continue
        opened, verified = (middle(samples, key)
                            for key in ("open_seconds", "verify_seconds"))
        out.append([name, ms(opened), ms(verified)] +
                   [ms(v / 1e9) for v in values] +
                   [str(int(middle(samples, "threads"))),
                    str(int(middle(samples, "slots")))])
    return out


SERIES_HEAD = ["what", "n", "min ms", "median ms", "GB/s best", "GB/s median",
               "of the limit", "path", "pinned MiB", "RSS + MiB"]
STAGE_HEAD = ["ms, median", "open", "host verify", "setup", "first group",
              "copied", "verify after", "total", "fill (sum)", "wait (sum)",
              "threads", "slots"]


def blob_text(name, blob):
    lines = [f"## {name}: {blob['bytes'] / 1e9:.3f} GB, "
             f"{blob['tensors']} tensors", ""]
    limit = middle(blob["series"].get("warm", {}).get(LIMIT))
    for cache, rows in blob["series"].items():
        lines += [f"### {name}, page cache {cache}", ""]
        lines += table(SERIES_HEAD, series_rows(blob["bytes"], rows, limit))
        stages = stage_rows(rows)
        if stages:
            lines += [""] + table(STAGE_HEAD, stages)
        lines.append("")
    return lines


def sweep_text(result):
    if not result.get("sweep"):
        return []
    size = result["blobs"]["1g"]["bytes"]
    rows = [[label, str(len(seconds(s))), ms(least(s)), ms(middle(s)),
             speed(size, middle(s)), mib(pinned_of(s))]
            if seconds(s) else
            [label, "0", f"FAILED: {'; '.join(errors(s))}", "-", "-", "-"]
            for label, s in result["sweep"].items()]
    rows.sort(key=lambda row: float(row[3]) if row[3] != "-" else float("inf"))
    return ["## Sweep on 1g, warm unless it says cold, best median first", ""] + table(
        ["path, threads, slots x MiB", "n", "min ms", "median ms",
         "GB/s median", "pinned MiB"], rows) + [""]


def warm_of(result, blob):
    return result["blobs"].get(blob, {}).get("series", {}).get("warm", {})


def goal(text, value, passed):
    """One line: value None is what was not measured, which is no PASS."""
    if value is None:
        return (text, "NOT MEASURED", "")
    return (text, "PASS" if passed else "MISS", value)


def speed_goal(result, blob):
    """Of the whole call, from before the file is opened; in brackets without
    what allocating and pinning take."""
    rows = warm_of(result, blob)
    limit, ours = middle(rows.get(LIMIT)), middle(rows.get(AUTO))
    share = limit / ours if limit and ours else None
    copies = [(s["copy_ns"] - s["setup_ns"]) / 1e9
              for s in rows.get(AUTO, []) if "copy_ns" in s]
    alone = statistics.median(copies) if copies else None
    said = f" ({limit / alone:.1%} from the first byte asked for to the last copy)" \
        if limit and alone else ""
    return goal(f"warm upload of {blob} >= 95 % of the pinned limit",
                share and f"{share:.1%}{said}", share and share >= WARM_SHARE)


def verify_goal(result, blob):
    rows = warm_of(result, blob)
    plain, proven = middle(rows.get(AUTO)), middle(rows.get(DEVICE_VERIFY))
    cost = proven / plain - 1 if plain and proven else None
    return goal(f"device verify of {blob} adds <= 3 % to the total",
                None if cost is None else f"{cost:+.1%}",
                cost is not None and cost <= VERIFY_COST)


def group_goal(result):
    """The share is taken of the limit's time, not of our own."""
    rows = warm_of(result, "1g")
    limit = middle(rows.get(LIMIT))
    first = middle(rows.get(AUTO), "first_group_ns")
    text = "first group of 1g <= its share of the limit's time + 5 ms"
    if limit is None or first is None:
        return goal(text, None, False)
    allowed = limit * result["blobs"]["1g"]["group_share"] + FIRST_GROUP_SLACK
    return goal(text, f"{first / 1e6:.2f} ms of {allowed * 1e3:.2f} ms",
                first / 1e9 <= allowed)


def small_goal(result):
    rows = warm_of(result, "small")
    ours, peer = middle(rows.get(AUTO)), middle(rows.get(LOAD_FILE))
    factor = peer / ours if ours and peer else None
    return goal("small tensors >= 5x load_file",
                factor and f"{factor:.1f}x", factor and factor >= SMALL_FACTOR)


def ring_goal(result):
    """Host memory: what the ring pins, in all rows whose ring is the default."""
    values = [s["pinned_bytes"]
              for blob in result["blobs"].values()
              for rows in blob["series"].values()
              for name in (AUTO, HOST_VERIFY, DEVICE_VERIFY)
              for s in rows.get(name, []) if "pinned_bytes" in s]
    return goal("pinned host memory <= 128 MiB",
                f"{max(values) / 2**20:.0f} MiB" if values else None,
                bool(values) and max(values) <= 128 * 2**20)


def check_goal(result):
    checks = result.get("checks", [])
    bad = [c for c in checks if c.get("error") or c.get("different", 1) != 0]
    return goal("every byte read back equal, a flipped one found alone",
                f"{len(checks) - len(bad)} of {len(checks)} images"
                if checks else None, not bad)


def goals(result):
    return [speed_goal(result, "1g"), speed_goal(result, "3.4g"),
            verify_goal(result, "1g"), verify_goal(result, "3.4g"),
            group_goal(result), small_goal(result), ring_goal(result),
            check_goal(result)]


def goal_lines(result):
    return [f"{state}: {text}" + (f": {value}" if value else "")
            for text, state, value in goals(result)]


def check_lines(result):
    lines = []
    for c in result.get("checks", []):
        said = c.get("error") or (
            f"{c['different']} of {c['tensors']} tensors differ")
        lines.append(f"- {c['what']}: {said}")
    return lines


def markdown(result):
    machine = result["machine"]
    lines = ["# The upload on a GPU", ""]
    if not result.get("finished", True):
        lines += ["**This run was ended before all was measured.**", ""]
    lines += [f"- {key}: {value}" for key, value in machine.items()]
    lines += ["", "GB = 1e9 bytes of payload. Ratios are of medians; a ratio to the limit",
              "of 1 is the pinned copy's time. Seconds begin before the file is opened",
              "and end when the device has the bytes (and they are proven).", ""]
    lines += ["## Goals", ""] + [f"- {line}" for line in goal_lines(result)]
    lines += [""]
    for name, blob in result["blobs"].items():
        lines += blob_text(name, blob)
    lines += sweep_text(result)
    lines += ["## Checked", ""] + check_lines(result) + [""]
    if result.get("notes"):
        lines += ["## Notes", ""] + [f"- {n}" for n in result["notes"]] + [""]
    return "\n".join(lines)
