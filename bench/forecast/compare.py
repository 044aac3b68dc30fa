"""Our schedules and simulations beside OR-tools CP-SAT and NumPy, in one run.

    compare.py schedule BINARY [PLANS]      owner-shaped plans, CP-SAT with 2 workers
    compare.py montecarlo BINARY            step-samples a second, NumPy float64

Each tool is asked in turn, again and again; ratios are of medians. Times are wall
clock and, in brackets, processor time.
"""

import os
import resource
import statistics
import subprocess
import sys
import time

WORKERS = 2


def ours(binary, *words):
    """Lines of our program as lists of words."""
    text = subprocess.run([binary, *map(str, words)], check=True, capture_output=True, text=True).stdout
    return [line.split() for line in text.splitlines()]


def cpsat(tasks, limit, hint=None):
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    horizon = sum(duration for duration, _, _ in tasks)
    starts, lanes = [], {}
    for duration, owner, before in tasks:
        start = model.new_int_var(0, horizon, "")
        lanes.setdefault(owner, []).append(model.new_fixed_size_interval_var(start, duration, ""))
        for first in before:
            model.add(start >= starts[first] + tasks[first][0])
        starts.append(start)
    for lane in lanes.values():
        model.add_no_overlap(lane)
    end = model.new_int_var(0, horizon, "")
    for start, (duration, _, _) in zip(starts, tasks):
        model.add(end >= start + duration)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = WORKERS
    solver.parameters.max_time_in_seconds = limit
    before = time.perf_counter()
    status = solver.solve(model)
    took = time.perf_counter() - before
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return {
        "end": int(solver.objective_value) if found else None,
        "proven": status == cp_model.OPTIMAL,
        "seconds": took,
    }


def tasks_of(binary, steps, owners, number):
    rows = ours(binary, "plan", steps, owners, number)
    return [(int(r[0]), int(r[1]), [int(b) for b in r[2].split(",")] if len(r) > 2 else []) for r in rows]


def p95(values):
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


def schedule(binary, plans=100):
    print(f"CP-SAT with {WORKERS} workers, our search with 1 thread; {plans} generated plans\n")
    print("100 steps, 10 owners")
    found, proven, theirs, agree, unproven = [], [], [], 0, 0
    for number in range(plans):
        lines = ours(binary, "owners", 100, 10, number, 2_000_000, 5000)
        peer = cpsat(tasks_of(binary, 100, 10, number), 60)
        best, proof = lines[0], lines[-1]
        if proof[1] == proof[2]:
            proven.append(float(proof[3]))
        else:
            unproven += 1
        found.append(float(best[3]) if best[1] == proof[1] else float(proof[3]))
        theirs.append(1e3 * peer["seconds"])
        assert peer["end"] is None or int(proof[1]) <= peer["end"] or not peer["proven"], number
        assert not peer["proven"] or int(proof[2]) <= peer["end"], f"plan {number}: a bound above the optimum"
        agree += peer["end"] == int(proof[1])
    print(f"  ours    optimum in {statistics.median(found):8.2f} ms, p95 {p95(found):8.2f} ms (goal 50)")
    print(f"  ours    proof   in {statistics.median(proven):8.2f} ms, p95 {p95(proven):8.2f} ms (goal 1000); not proven: {unproven}")
    print(f"  CP-SAT  proof   in {statistics.median(theirs):8.2f} ms, p95 {p95(theirs):8.2f} ms; same end: {agree} of {plans}")
    print(f"  ratio of medians, proof: {statistics.median(theirs) / statistics.median(proven):.1f}\n")

    print("500 steps, 20 owners: within one second")
    gaps, ends = [], []
    for number in range(8):
        line = ours(binary, "owners", 500, 20, number, 200_000, 2000)[-1]
        peer = cpsat(tasks_of(binary, 500, 20, number), 1)
        gaps.append(100 * (int(line[1]) / int(line[2]) - 1))
        ends.append((int(line[1]), peer["end"], float(line[3])))
    print(f"  ours    at most {max(gaps):.2f} % over the bound (goal 1), in at most {max(e[2] for e in ends):.0f} ms")
    print(f"  CP-SAT  (end, or none found): {[e[1] for e in ends]}; ours: {[e[0] for e in ends]}\n")

    print("10,000 steps, 200 owners")
    for number in (1, 4):
        lines = ours(binary, "owners", 10_000, 200, number, 0, 1, 60, 400)
        peer = cpsat(tasks_of(binary, 10_000, 200, number), 120)
        for line in lines:
            print(f"  ours    {int(line[0]):5d} schedules: end {line[1]}, bound {line[2]}, {float(line[3]):.1f} ms")
        print(f"  CP-SAT  120 s: end {peer['end']} in {peer['seconds']:.1f} s")


def montecarlo(binary):
    import numpy as np

    print(f"NumPy {np.__version__}, float64, one thread; ours with one thread\n")
    for steps, samples in ((100, 100_000), (500, 20_000)):
        rows = ours(binary, "network", steps)
        network = [(float(r[0]), float(r[1]), [int(b) for b in r[2].split(",")] if len(r) > 2 else []) for r in rows]
        generator = np.random.default_rng(1)
        theirs, mine, cpu = [], [], []
        for _ in range(7):
            mine.append(float(ours(binary, "time", steps, samples)[0][0]))
            before, used = time.perf_counter(), time.process_time()
            night = np.exp(0.15 * generator.standard_normal(samples))
            ends = []
            for middle, spread, waits in network:
                took = np.minimum(middle * np.exp(spread * generator.standard_normal(samples)) * night, 20 * middle)
                if waits:
                    took += np.maximum.reduce([ends[w] for w in waits])
                ends.append(took)
            finish = np.maximum.reduce(ends)
            answer = np.quantile(finish, [0.5, 0.8, 0.95])
            theirs.append(1e3 * (time.perf_counter() - before))
            cpu.append(1e3 * (time.process_time() - used))
        us, them = statistics.median(mine), statistics.median(theirs)
        quantile = float(ours(binary, "time", steps, samples)[0][1])
        print(f"{steps} steps x {samples} nights")
        print(f"  ours   {us:8.2f} ms   {steps * samples / us / 1e6:.2f} G step-samples/s   P95 {quantile:.0f}")
        print(f"  NumPy  {them:8.2f} ms   {steps * samples / them / 1e6:.3f} G step-samples/s   P95 {answer[2]:.0f}   (cpu {statistics.median(cpu):.0f} ms)")
        print(f"  ratio of medians: {them / us:.1f} (goal 10)\n")
        assert abs(quantile / answer[2] - 1) < 0.02, "the two do not agree"
    for line in ours(binary, "answers"):
        print(" ".join(line))


if __name__ == "__main__":
    what, binary, *rest = sys.argv[1:]
    load = os.getloadavg()[0]
    print(f"load average {load:.1f} on {os.cpu_count()} processors\n")
    if what == "schedule":
        schedule(binary, *(int(r) for r in rest[:1]))
    else:
        montecarlo(binary)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"processor time of our program in all: {used.ru_utime + used.ru_stime:.1f} s")
