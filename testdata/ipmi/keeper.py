#!/usr/bin/env python3
"""Runs one ipmi_sim for each folder below FOLDER, until standard input ends: also when whoever started it was killed."""

import os
import subprocess
import sys

root = sys.argv[1]
children = []
try:
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        command = ["ipmi_sim", "-c", f"{folder}/lan.conf", "-f", f"{folder}/sim.emu", "-s", f"{folder}/state", "-n"]
        with open(f"{folder}/output", "w") as output:
            children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output))
    print("started", flush=True)
    sys.stdin.read()
finally:
    for child in children:
        child.kill()
    for child in children:
        child.wait()
