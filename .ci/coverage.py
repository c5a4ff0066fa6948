#!/usr/bin/env python3
"""Prints how many lines of the product the tests have reached, by module.

Arguments: the major version of LLVM that the compiler has, the folder of the profiles, and the instrumented programs. Code of tests is not counted, and
neither is what a process did that was killed, as it writes no profile.
"""
import glob, json, os, subprocess, sys

version, profiles, *programs = sys.argv[1:]
files = glob.glob(os.path.join(profiles, "*.profraw"))
if not files:
    sys.exit("error: no program has written a profile, so no line coverage is known")
merged = os.path.join(profiles, "all.profdata")
subprocess.run([f"llvm-profdata-{version}", "merge", "--sparse", "--failure-mode=all", "-o", merged, *files], check=True)
objects = [argument for program in programs[1:] for argument in ("--object", program)]
command = [f"llvm-cov-{version}", "export", "--summary-only", f"--instr-profile={merged}", programs[0], *objects]
report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
source = os.path.join(os.getcwd(), "src") + os.sep
modules = {}
for file in report["data"][0]["files"]:
    name = file["filename"]
    if not name.startswith(source):
        continue
    parts = name[len(source):].split(os.sep)
    if any(part in ("tests", "tests.rs", "suite.rs", "fake.rs") or part.endswith("_tests.rs") for part in parts):
        continue
    lines = file["summary"]["lines"]
    of = [parts[0] if len(parts) > 1 else "(top)"]
    if parts[:2] == ["store", "postgres"]:
        of.append("store/postgres")
    for module in of:
        count, covered = modules.get(module, (0, 0))
        modules[module] = (count + lines["count"], covered + lines["covered"])
total = [sum(column) for column in zip(*(v for k, v in modules.items() if "/" not in k))]
print("line coverage by tests (processes that were killed not counted)")
for module, (count, covered) in sorted(modules.items()):
    print(f"  {module:<16} {100 * covered / max(count, 1):5.1f} % of {count} lines")
print(f"  {'all':<16} {100 * total[1] / total[0]:5.1f} % of {total[0]} lines")
