#!/usr/bin/env bash
# Instructions of the workloads of `runtime/benches/overhead`, counted by callgrind: only what happens in
# `Workload::counted`, and runs of two lengths are subtracted, so that what the first run alone does cancels. Prints lines
# `ratio NAME VALUE`.
set -euo pipefail
cd "$(dirname "$0")/.."

bench=$(cargo bench -q -p taper --bench overhead --no-run --message-format=json |
    python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "overhead":
        print(message["executable"])')
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export RAYON_NUM_THREADS=1

# instructions WORKLOAD WIDTH TIMES
instructions() {
    valgrind --tool=callgrind --toggle-collect='*Workload*counted*' --callgrind-out-file="$out/counts" "$bench" --count "$1" --width "$2" --times "$3" \
        2> "$out/log" || { cat "$out/log" >&2; exit 1; }
    sed -n 's/^summary: //p' "$out/counts"
}

# one WORKLOAD WIDTH: instructions of one run; a median, since where the allocator puts things, which differs from start to
# start with the order of a hash map, moves the count by a thousandth
one() {
    local few many
    for _ in 1 2 3 4 5 6 7 8 9; do
        few=$(instructions "$1" "$2" 1)
        many=$(instructions "$1" "$2" 5)
        echo $(((many - few) / 4))
    done | sort -n | sed -n 5p
}

# ratio NAME COUNT COUNT
ratio() {
    awk -v name="$1" -v a="$2" -v b="$3" 'BEGIN { printf "ratio %s %.5f\n", name, a / b }'
}

for width in "${@:-32}"; do
    forward=$(one derived "$width")
    echo "# width $width: forward $forward instructions"
    ratio "derived/handwritten@instructions-$width" "$forward" "$(one handwritten "$width")"
    for workload in taps identity-edit record; do
        ratio "$workload/forward@instructions-$width" "$(one "$workload" "$width")" "$forward"
    done
    ratio "sweep/naive@instructions-$width" "$(one sweep "$width")" "$(one naive "$width")"
    ratio "gradients/backward@instructions-$width" "$(one gradients "$width")" "$(one backward "$width")"
done
