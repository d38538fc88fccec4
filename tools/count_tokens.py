"""Counts the Rust tokens of each architecture in models/src beside candle-transformers' own of the same one.

usage: python tools/count_tokens.py PATH_TO_candle-transformers   (the crate's folder, as cargo unpacks it)

Comments, docs, white space and what stands under `#[cfg(test)]` do not count. `shared` is what several architectures
use of models/src/shared and past.rs, each file whole if anything is imported from it, by others of them too; in the line `all` it is counted once.
"""
import pathlib
import re
import sys

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/"""  # comments
    r"""|(?P<t>b?r?"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])'|'?[A-Za-z_]\w*|\d[\w.]*|::|->|=>|\.\.=|\.\.|[-+*/%^&|<>=!]=|&&|\|\||\S)""",
    re.S,
)
# Ours, and candle-transformers' of the same architectures.
PAIRS = [
    (["bert.rs", "bert"], ["bert.rs"]),
    (["llama.rs", "llama/config.rs"], ["llama.rs", "mistral.rs", "qwen2.rs", "qwen3.rs", "gemma.rs", "gemma2.rs"]),
    (["llama/gguf.rs"], ["quantized_llama.rs", "quantized_qwen2.rs", "quantized_qwen3.rs"]),
    (["t5.rs", "t5"], ["t5.rs"]),
    (["vit.rs", "vit"], ["vit.rs"]),
    (["clip.rs", "clip"], ["clip/mod.rs", "clip/text_model.rs", "clip/vision_model.rs"]),
    (["whisper.rs", "whisper"], ["whisper/mod.rs", "whisper/model.rs"]),
    (["resnet.rs", "resnet"], ["resnet.rs"]),
    (["neox.rs", "neox"], []),
    (["gpt2.rs"], []),
    (["mobilenet_v2.rs", "mobilenet_v2"], []),
]
def without_tests(text):
    """The text without every item under `#[cfg(test)]`."""
    while (at := text.find("#[cfg(test)]")) >= 0:
        end = text.find("\n}\n", at)
        line = text.find(";\n", at)
        brace = text.find("{", at)
        if 0 <= line < brace or brace < 0:
            text = text[:at] + text[line + 2 :]
        else:
            text = text[:at] + text[end + 3 :]
    return text


def tokens(root, names):
    total = 0
    for name in names:
        path = root / name
        files = sorted(path.rglob("*.rs")) if path.is_dir() else [path] if path.exists() else []
        for file in files:
            if "tests" in file.parts or file.name == "tests.rs":
                continue
            text = without_tests(file.read_text())
            total += sum(1 for m in TOKEN.finditer(text) if m["t"])
    return total


def shared_by(root, names):
    """The shared files that are imported from."""
    text = "".join(f.read_text() for n in names for f in ([root / n] if (root / n).is_file() else (root / n).rglob("*.rs")))
    text = without_tests(text)
    used = {"past.rs"} if "past::" in text else set()
    files = [file for file in sorted((root / "shared").glob("*.rs")) if file.name != "mod.rs"]
    left = [(text, r"use crate::shared::")]
    while left:
        text, within = left.pop()
        imported = " ".join(re.findall(within + r"((?:\w+::)*(?:\{[^}]*\}|\w+))", text))
        for file in files:
            name, body = f"shared/{file.name}", without_tests(file.read_text())
            names = [file.stem, *re.findall(r"pub(?:\(\w+\))? (?:fn|struct|enum|trait|type) (\w+)", body)]
            if name not in used and any(re.search(rf"\b{name}\b", imported) for name in names):
                used.add(name)
                # What it uses of the others is used too.
                left.append((body, r"use super::"))
    return used


def main():
    ours = pathlib.Path(__file__).parent.parent / "models" / "src"
    theirs = pathlib.Path(sys.argv[1]) / "src" / "models"
    print(f"{'ours':16} {'tokens':>6} {'shared':>6}   {'theirs':>6} {'ratio':>5}  {'with shared':>11}")
    all_ours, all_shared, all_theirs = 0, set(), 0
    for mine, other in PAIRS:
        a, b, used = tokens(ours, mine), tokens(theirs, other), shared_by(ours, mine)
        if not a:
            continue
        c = tokens(ours, used)
        ratio = f"{b:6} {a / b:5.2f}  {(a + c) / b:11.2f}  {' '.join(other)}" if b else ""
        print(f"{mine[0]:16} {a:6} {c:6}   {ratio}")
        if b:
            all_ours, all_shared, all_theirs = all_ours + a, all_shared | used, all_theirs + b
    c = tokens(ours, all_shared)
    print(f"{'all':16} {all_ours:6} {c:6}   {all_theirs:6} {all_ours / all_theirs:5.2f}  {(all_ours + c) / all_theirs:11.2f}")


if __name__ == "__main__":
    main()
