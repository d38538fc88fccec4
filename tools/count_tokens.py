"""Counts the Rust tokens of each architecture in models/src beside candle-transformers' own of the same one.

usage: python tools/count_tokens.py PATH_TO_candle-transformers   (the crate's folder, as cargo unpacks it)

Comments, docs, attributes `#[cfg(test)]` with what they stand on, and white space do not count. What several
architectures share (models/src/shared, past.rs, decoder.rs's macro) is printed by itself, and added in the last column to each
in full, though it is there once.
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
    (["llama.rs", "llama"], ["llama.rs"]),
    (["llama.rs", "llama"], ["llama.rs", "mistral.rs", "qwen2.rs", "qwen3.rs", "gemma2.rs"]),
    (["t5.rs", "t5"], ["t5.rs"]),
    (["vit.rs", "vit"], ["vit.rs"]),
    (["clip.rs", "clip"], ["clip/mod.rs", "clip/text_model.rs", "clip/vision_model.rs"]),
    (["whisper.rs", "whisper"], ["whisper/mod.rs", "whisper/model.rs"]),
    (["resnet.rs", "resnet"], ["resnet.rs"]),
]
SHARED = ["shared", "past.rs"]


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


def main():
    ours = pathlib.Path(__file__).parent.parent / "models" / "src"
    theirs = pathlib.Path(sys.argv[1]) / "src" / "models"
    shared = tokens(ours, SHARED)
    print(f"shared {shared}")
    print(f"{'architecture':44} {'ours':>6} {'theirs':>6} {'ratio':>6} {'with shared':>11}")
    for mine, other in PAIRS:
        a, b = tokens(ours, mine), tokens(theirs, other)
        if a:
            print(f"{mine[0] + ' / ' + ' '.join(other):44.44} {a:6} {b:6} {a / b:6.2f} {(a + shared) / b:11.2f}")


if __name__ == "__main__":
    main()
