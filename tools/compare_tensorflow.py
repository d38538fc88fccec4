"""Times taper-saved against TensorFlow on the same SavedModels, side by side: same file, same input, outputs compared.

usage: python compare_tensorflow.py DIR [NAME..]      resnet50 mobilenetv2 … as tools/make_keras_applications.py has made them in DIR

Builds and runs `saved/benches/speed.rs`. In every round TensorFlow's signature, taper's run and taper's run with every tensor
captured have their turn, on two threads each (THREADS=N for another number), the others waiting. Prints lines
`ratio NAME VALUE`, of medians. TensorFlow has oneDNN on, as it has by itself; TF_ENABLE_ONEDNN_OPTS=0 turns it off.
Needs tools/requirements-tensorflow.txt and safetensors.
"""
import json, os, statistics, subprocess, sys, tempfile, time

THREADS = os.environ.get("THREADS", "2")
os.environ.update(RAYON_NUM_THREADS=THREADS, CUDA_VISIBLE_DEVICES="-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file, save_file

tf.config.threading.set_intra_op_parallelism_threads(int(THREADS))
tf.config.threading.set_inter_op_parallelism_threads(int(THREADS))
ROUNDS = int(os.environ.get("ROUNDS", "25"))
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Taper:
    """The Rust side, which does what every line says, and answers."""

    def __init__(self, model, inputs):
        # Otherwise glibc returns the memory of all tensors to the system after each run, and the next asks for it anew.
        keep = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([PROGRAM, model, inputs], env=os.environ | keep, text=True, **pipes)
        said = self.process.stdout.readline().split()
        assert said[:1] == ["ready"], "the Rust side did not start"
        self.opened = float(said[1])

    def do(self, command):
        print(command, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "done\n", command


def program():
    """Builds `saved/benches/speed.rs`; its path."""
    build = ["cargo", "bench", "-q", "-j2", "-p", "taper-saved", "--bench", "speed", "--no-run", "--message-format=json"]
    messages = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    made = [message for message in map(json.loads, messages) if message.get("executable")]
    return made[-1]["executable"]


def compare(folder, name):
    saved = os.path.join(folder, name, "saved_model")
    loading = time.perf_counter()
    loaded = tf.saved_model.load(saved)
    run = loaded.signatures["serving_default"]
    loading = time.perf_counter() - loading
    with np.load(os.path.join(folder, name, "inputs.npz")) as file:
        x = {key: file[key] for key in file}
    of_tensorflow = {key: tf.constant(value) for key, value in x.items()}
    with tempfile.TemporaryDirectory() as temporary:
        inputs, written = os.path.join(temporary, "inputs.safetensors"), os.path.join(temporary, "outputs.safetensors")
        save_file({key: np.ascontiguousarray(value) for key, value in x.items()}, inputs)
        taper = Taper(saved, inputs)
        taper.do(f"write {written}")
        actual = load_file(written)
        expected = {key: value.numpy() for key, value in run(**of_tensorflow).items()}
        off = max((np.abs(actual[key] - value) / (1 + np.abs(value))).max() for key, value in expected.items())
        assert off < 1e-4, f"{name}: not TensorFlow's output, {off} off"

        ways = {
            "tensorflow": lambda: [value.numpy() for value in run(**of_tensorflow).values()],
            "plain": lambda: taper.do("plain"),
            "taps": lambda: taper.do("taps"),
        }
        taken = {way: [] for way in ways}
        for round in range(ROUNDS + 2):
            for way in list(ways)[round % 3 :] + list(ways)[: round % 3]:
                seconds = timed(ways[way])
                if round >= 2:
                    taken[way].append(seconds)
    ms = {way: 1e3 * statistics.median(seconds) for way, seconds in taken.items()}
    print("#", name, " ".join(f"{way} {t:.1f} ms" for way, t in ms.items()), f"off by {off:.1e};", end=" ")
    print(f"opened in {taper.opened:.3f} s, by TensorFlow in {loading:.3f} s")
    print(f"ratio {name}/tensorflow {ms['plain'] / ms['tensorflow']:.4f}")
    print(f"ratio {name}-taps/tensorflow {ms['taps'] / ms['tensorflow']:.4f}", flush=True)


if len(sys.argv) < 2:
    sys.exit(__doc__)
PROGRAM = program()
for name in sys.argv[2:] or ["resnet50", "mobilenetv2"]:
    compare(sys.argv[1], name)
