#!/usr/bin/env python3
"""Write examples/data/digits.csv: 1,797 handwritten digits of 8x8 pixels.

The images come out of scikit-learn's `load_digits`, which carries its own copy of
the UCI data, so the script needs no network. Each row is the label (0..9) followed
by 64 pixels (0..16), top row first; there is no header.

    python -m pip install -r tools/requirements.txt
    python tools/make_digits.py
"""

from pathlib import Path

from sklearn.datasets import load_digits

TARGET = Path(__file__).resolve().parent.parent / "examples" / "data" / "digits.csv"
ROWS, PIXELS, MAX_PIXEL, CLASSES = 1797, 64, 16, 10


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    assert images.shape == (ROWS, PIXELS), images.shape
    pixels = images.astype(int)
    assert (pixels == images).all(), "pixels are expected to be whole numbers"
    assert pixels.min() == 0 and pixels.max() == MAX_PIXEL, "pixels are expected in 0..16"
    assert set(labels) == set(range(CLASSES)), "all ten digits are expected"

    lines = [",".join(map(str, [label, *row])) for label, row in zip(labels, pixels)]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    # One byte for a newline on every platform, so that the file is the same everywhere.
    TARGET.write_bytes(("\n".join(lines) + "\n").encode("ascii"))
    print(f"{TARGET}: {len(lines)} digits, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
