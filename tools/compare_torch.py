"""Times models of taper-models against the same in PyTorch, side by side: same weights, same input, outputs compared.

usage: python compare_torch.py [NAME..]      gpt2 resnet50 mobilenet_v2 operations; all of them without a name

Builds and runs `models/benches/speed.rs`. In every round PyTorch's plain forward, taper's plain forward and taper's forward
with every tap captured have their turn, on two threads each (THREADS=N for another number), the others waiting. Prints
lines `ratio NAME VALUE`, of medians. The weights are random, and go through a temporary file.

On a machine that is busy with other work, THREADS=1 CLOCK=cpu compares the processor time of one thread each.
"""
import glob, json, os, statistics, subprocess, sys, tempfile, time

THREADS = os.environ.get("THREADS", "2")
os.environ.update(OMP_NUM_THREADS=THREADS, RAYON_NUM_THREADS=THREADS)
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

torch.set_num_threads(int(THREADS))
torch.manual_seed(0)
ROUNDS = int(os.environ.get("ROUNDS", "25"))
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def gpt2(attention="eager"):
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(attn_implementation=attention, use_cache=False)).eval()
    return model, torch.randint(50257, (1, 128)), lambda y: y.logits


def resnet50():
    import torchvision

    return torchvision.models.resnet50().eval(), torch.randn(1, 3, 224, 224), lambda y: y


def mobilenet_v2():
    import torchvision

    return torchvision.models.mobilenet_v2().eval(), torch.randn(1, 3, 224, 224), lambda y: y


def settle_norms(model):
    """Batch norms that do something: the statistics of a few random batches."""
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, std=0.1)


def processor_time(pid):
    """What the threads of a process have computed so far, in seconds."""
    return sum(int(open(file).read().split()[0]) for file in glob.glob(f"/proc/{pid}/task/*/schedstat")) / 1e9


def timed(pid, work, warm=lambda: None):
    """The seconds that `work` takes in the process, after `warm`."""
    # Threads of the other process that wait for work by spinning would take a core from this one: by then they sleep.
    time.sleep(0.03)
    warm()
    clock = (lambda: processor_time(pid)) if os.environ.get("CLOCK") == "cpu" else time.perf_counter
    start = clock()
    work()
    return clock() - start


class Taper:
    """The Rust side, which does what every line says, and answers."""

    def __init__(self, name, file):
        # Otherwise glibc returns the memory of all taps to the system after each run, and the next asks for it anew.
        keep = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([PROGRAM, name, file], env=os.environ | keep, text=True, **pipes)
        assert self.process.stdout.readline() == "ready\n", "the Rust side did not start"

    def do(self, command):
        print(command, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "done\n", command

    def seconds(self, command, warm=lambda: None):
        return timed(self.process.pid, lambda: self.do(command), warm)


def program():
    """Builds `models/benches/speed.rs`; its path."""
    build = ["cargo", "bench", "-q", "-j2", "-p", "taper-models", "--bench", "speed", "--no-run", "--message-format=json"]
    messages = subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    made = [message for message in map(json.loads, messages) if message.get("executable")]
    return made[-1]["executable"]


def compare(name):
    model, x, output = MODELS[name]()
    settle_norms(model)
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        file, written = os.path.join(folder, "weights.safetensors"), os.path.join(folder, "output.safetensors")
        weights = {k: v.contiguous().clone() for k, v in model.state_dict().items()}
        save_file(weights | {"input": x.to(torch.float32)}, file)
        taper = Taper(name.removesuffix("-sdpa"), file)

        taper.do(f"write {written}")
        expected, actual = output(model(x)), load_file(written)["output"]
        off = ((actual - expected).abs() / (1 + expected.abs())).max().item()
        assert off < 1e-4, f"{name}: not PyTorch's output, {off} off"

        ways = {
            "torch": lambda: timed(os.getpid(), lambda: model(x)),
            "plain": lambda: taper.seconds("plain"),
            "taps": lambda: taper.seconds("taps"),
        }
        taken = {way: [] for way in ways}
        for round in range(ROUNDS + 2):
            for way in list(ways)[round % 3 :] + list(ways)[: round % 3]:
                seconds = ways[way]()
                if round >= 2:
                    taken[way].append(seconds)
        ms = {way: 1e3 * statistics.median(seconds) for way, seconds in taken.items()}
        print("#", name, " ".join(f"{way} {t:.1f} ms" for way, t in ms.items()), f"off by {off:.1e}")
        print(f"ratio {name}/torch {ms['plain'] / ms['torch']:.4f}")
        print(f"ratio {name}-taps/torch {ms['taps'] / ms['torch']:.4f}", flush=True)


# What GPT-2 small does besides products of matrices, and how often; and other functions of each element.
OPERATIONS = {
    "gelu_tanh": (12, lambda t: F.gelu(t["wide"], approximate="tanh")),
    "layer_norm": (25, lambda t: F.layer_norm(t["stream"], (768,), t["weight"], t["bias"])),
    "softmax": (12, lambda t: t["scores"].softmax(-1)),
    "mask": (12, lambda t: t["scores"] + t["mask"]),
    "add": (25, lambda t: t["stream"] + t["stream"]),
    "split_heads": (36, lambda t: t["stream"].view(1, 128, 12, 64).transpose(1, 2).contiguous()),
    "merge_heads": (12, lambda t: t["heads"].transpose(1, 2).flatten(2)),
    "gelu": (0, lambda t: F.gelu(t["wide"])),
    "silu": (0, lambda t: F.silu(t["wide"])),
    "exp": (0, lambda t: t["wide"].exp()),
    "tanh": (0, lambda t: t["wide"].tanh()),
    "relu": (0, lambda t: t["wide"].relu()),
    "add_wide": (0, lambda t: t["wide"] + t["wide"]),
}


def repeated(op, t, times):
    for _ in range(times):
        op(t)


def operations():
    """Each operation by itself, and those of GPT-2 small together, as often as it does them."""
    t = {"wide": torch.randn(128, 3072), "stream": torch.randn(1, 128, 768), "heads": torch.randn(1, 12, 128, 64)}
    t |= {"scores": torch.randn(1, 12, 128, 128), "mask": torch.full((128, 128), -torch.inf).triu(1)}
    t |= {"weight": torch.randn(768), "bias": torch.randn(768)}
    together = [0.0, 0.0]
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        file, written = os.path.join(folder, "tensors.safetensors"), os.path.join(folder, "output.safetensors")
        save_file(t, file)
        taper = Taper("operations", file)
        for name, (count, op) in OPERATIONS.items():
            taper.do(f"{name} {written}")
            expected, actual = op(t), load_file(written)["output"]
            assert torch.allclose(expected, actual, rtol=1e-5, atol=1e-5), name
            # So many in a row that asking the other process is not what is timed.
            times = max(100, int(0.02 * 100 / timed(os.getpid(), lambda: repeated(op, t, 100))))
            taken = [], []
            for _ in range(ROUNDS + 2):
                taken[0].append(timed(os.getpid(), lambda: repeated(op, t, times), lambda: repeated(op, t, 20)) / times)
                taken[1].append(taper.seconds(f"{name} {times}", lambda: taper.do(f"{name} 20")) / times)
            torch_us, taper_us = (1e6 * statistics.median(seconds) for seconds in taken)
            print(f"# {name} torch {torch_us:.0f} us, taper {taper_us:.0f} us")
            print(f"ratio {name}/torch {taper_us / torch_us:.4f}", flush=True)
            together = [together[0] + count * torch_us, together[1] + count * taper_us]
    print(f"# gpt2 without products torch {together[0] / 1e3:.2f} ms, taper {together[1] / 1e3:.2f} ms")
    print(f"ratio gpt2-without-products/torch {together[1] / together[0]:.4f}")


MODELS = {"gpt2": gpt2, "gpt2-sdpa": lambda: gpt2("sdpa"), "resnet50": resnet50, "mobilenet_v2": mobilenet_v2}
PROGRAM = program()
for name in sys.argv[1:] or [*MODELS, "operations"]:
    operations() if name == "operations" else compare(name)
