#!/usr/bin/env python3
"""What the macros cost at compile time, against the same structs written by hand.

Generates two crates of structs of ten layers with forwards, one derived and one not, both against one build of taper and
candle, and times `cargo check` of each in turn. Prints lines `ratio NAME VALUE`, and medians for information.

    tools/compile_time.py [--structs 100] [--layers 10] [--times 7]

Needs GNU time as /usr/bin/time for the peak memory.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def struct(index, layers, derived):
    """One model: every layer is called once, and two values on the way are tapped."""
    name = f"Net{index}"
    tap = "        #[tap]\n" if derived else ""
    fields, calls, inits = [], [], []
    for layer in range(layers):
        load = f"    #[load(linear({layer + 4}, {layer + 5}))]\n" if derived else ""
        fields.append(f"{load}    pub l{layer}: Linear,\n")
        inits.append(f"            l{layer}: linear({layer + 4}, {layer + 5}, vb.pp(\"l{layer}\"))?,\n")
        source = "x" if layer == 0 else f"&x{layer - 1}"
        if layer in (layers // 3, 2 * layers // 3):
            calls.append(f"{tap}        let x{layer} = self.l{layer}.forward({source})?.relu()?;\n")
        else:
            calls.append(f"        let x{layer} = self.l{layer}.forward({source})?;\n")
    derive = "#[derive(Model)]\n" if derived else ""
    attribute = "#[forward]\n" if derived else ""
    loader = "" if derived else (
        f"    pub fn load(vb: VarBuilder) -> Result<Self> {{\n        Ok({name} {{\n{''.join(inits)}        }})\n    }}\n\n"
    )
    return (
        f"{derive}pub struct {name} {{\n{''.join(fields)}}}\n\n"
        f"{attribute}impl {name} {{\n{loader}"
        f"    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {{\n{''.join(calls)}        Ok(x{layers - 1})\n    }}\n}}\n\n"
    )


def write(folder, structs, layers):
    """A workspace of both crates, with the lock file of this one."""
    shutil.rmtree(folder, ignore_errors=True)
    names = ["handwritten", "derived"]
    for name in names:
        source = folder / name / "src"
        source.mkdir(parents=True)
        derived = name == "derived"
        imports = ["use taper::candle_core::{Result, Tensor};"]
        if derived:
            imports += ["use taper::candle_nn::{Linear, Module, linear};", "use taper::{Model, forward};"]
        else:
            imports += ["use taper::candle_nn::{Linear, Module, VarBuilder, linear};"]
        body = "".join(struct(i, layers, derived) for i in range(structs))
        (source / "lib.rs").write_text("\n".join(imports) + "\n\n" + body)
        (folder / name / "Cargo.toml").write_text(
            f'[package]\nname = "scratch-{name}"\nversion = "0.0.0"\nedition = "2024"\n\n'
            f'[dependencies]\ntaper = {{ path = "{ROOT / "runtime"}" }}\n'
        )
    (folder / "Cargo.toml").write_text(f'[workspace]\nresolver = "3"\nmembers = {names}\n'.replace("'", '"'))
    shutil.copy(ROOT / "Cargo.lock", folder)


def check(folder, name, env):
    """Seconds, seconds of processor time and peak kilobytes of one `cargo check` of the crate alone."""
    (folder / name / "src" / "lib.rs").touch()
    command = ["/usr/bin/time", "-v", "cargo", "check", "--offline", "--quiet", "-p", f"scratch-{name}"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    number = lambda name: float(re.search(rf"{name} time \(seconds\): ([\d.]+)", done.stderr)[1])
    return seconds, number("User") + number("System"), int(re.search(r"set size \(kbytes\): (\d+)", done.stderr)[1])


def compare(folder, times, env, suffix, structs):
    """Both crates in turn, `times` times."""
    seen = {"handwritten": [], "derived": []}
    for _ in range(times + 1):
        for name, measured in seen.items():
            measured.append(check(folder, name, env))
    # The first of each may have built something else too.
    median = lambda name, part: statistics.median(m[part] for m in seen[name][1:])
    for part, what in enumerate(["check-derived/check-handwritten", "check-derived/check-handwritten@cpu", "check-memory"]):
        by_hand, derived = median("handwritten", part), median("derived", part)
        print(f"ratio {what}{suffix} {derived / by_hand:.2f}")
        if part == 2:
            print(f"# handwritten {by_hand / 1024:.0f} MiB, derived {derived / 1024:.0f} MiB", flush=True)
        else:
            print(f"# handwritten {by_hand * 1e3:.0f} ms, derived {derived * 1e3:.0f} ms: "
                  f"{(derived - by_hand) / structs * 1e3:.1f} ms a struct")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structs", type=int, default=100)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--times", type=int, default=7)
    args = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "compile-time"
    folder = target / "scratch"
    write(folder, args.structs, args.layers)
    env = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    # What both stand on, once.
    subprocess.run(["cargo", "check", "--quiet", "-p", "taper"], cwd=folder, env=env, check=True)
    # As it is when nothing is left of a check before, and as it is after an edit.
    compare(folder, args.times, {**env, "CARGO_INCREMENTAL": "0"}, "", args.structs)
    compare(folder, args.times, env, "@incremental", args.structs)


if __name__ == "__main__":
    main()
