"""Fits the polynomials by which `taper::ops::gelu` computes the normal distribution (runtime/src/ops/vectors/math.rs).

usage: python normal_tail.py        (needs numpy and scipy)

The part of the standard normal distribution beyond t >= 0 is 2^P(t) / 2. P is near its logarithm up to t = 7, so that the
part times max(t, 1) has about the same largest error everywhere; further out P only falls, and is -126 where the script
says: from there on the part is smaller than a float of full precision. 2^r for r between +-1/2 is a polynomial too.
Prints the coefficients from the first power on.
"""
import numpy as np
from scipy.special import log_ndtr


def fitted(x, y, degree, may_be_off):
    """The polynomial without a constant that is nearest to `y`, in units of `may_be_off`, and its largest error."""
    powers = np.stack([x**k for k in range(1, degree + 1)], 1) / np.broadcast_to(may_be_off, x.shape)[:, None]
    size = np.abs(powers).max(0)
    target, weights = y / may_be_off, np.ones(len(x))
    # Lawson's iteration: least squares, where what is worst gets more weight each time, ends at the least maximum.
    for _ in range(3000):
        root = np.sqrt(weights)
        fit, *_ = np.linalg.lstsq(powers / size * root[:, None], target * root, rcond=None)
        off = np.abs(powers / size @ fit - target)
        weights *= (off / off.max() + 1e-3) ** 0.8
        weights /= weights.mean()
    return fit / size, off.max()


def show(name, fit, off):
    print(f"{name}: off by {off:.2e} of what is allowed")
    for power, coefficient in enumerate(fit.astype(np.float32), 1):
        print(f"  {power} {coefficient:.8e}")


# More points near 0 than far out.
t = 14 * (1 - np.cos(np.linspace(0, np.pi / 2, 6000)))
log = log_ndtr(-t) / np.log(2)
part = np.exp2(log)
# How far P may be off: for the part's absolute error, and for its relative one while the part is not yet tiny.
absolute = np.minimum(3e-8 / (part * np.log(2) * np.maximum(t, 1)), 50)
fit, off = fitted(t, log + 1, 10, np.minimum(absolute, np.where(t < 5, 2e-5, np.where(t < 7, 2e-3, 20))))
show("log2 of the part, + 1", fit, off)
P = np.polynomial.Polynomial([0, *fit])
end = next(root.real for root in sorted((P + 126).roots(), key=lambda z: z.real) if root.real > 0 and abs(root.imag) < 1e-9)
assert all(P.deriv()(np.linspace(0, end, 100_000)) < 0), "it does not fall everywhere"
print(f"  is -126 at {end:.4f}")

r = np.linspace(-0.5, 0.5, 4001)
show("2^r - 1", *fitted(r, np.exp2(r) - 1, 5, np.exp2(r)))
