#!/usr/bin/env python3
"""The `chassis_control` program of ipmi_sim: hands chassis commands on to the Redfish service of the same machine.

    chassis.py FOLDER get|set|check [PARAMETER [VALUE]]...

FOLDER holds `machine.json`: {"system": URL of the ComputerSystem, "user": ..., "password": ...}, and `calls.log`, to which each call is written.
A file `slow` in it holds seconds to wait first. See ipmi_lan(5); the parameters are those of OpenIPMI's lanserv (bmc_chassis.c).
"""

import base64
import json
import os
import sys
import time
import urllib.request

folder, operation, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
with open(os.path.join(folder, "machine.json")) as file:
    machine = json.load(file)
with open(os.path.join(folder, "calls.log"), "a") as log:
    log.write(" ".join([operation, *arguments]) + "\n")
if os.path.exists(os.path.join(folder, "slow")):
    with open(os.path.join(folder, "slow")) as file:
        time.sleep(float(file.read()))

login = base64.b64encode(f"{machine['user']}:{machine['password']}".encode()).decode()


def call(method, path="", body=None):
    request = urllib.request.Request(
        machine["system"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def reset(kind):
    call("POST", "/Actions/ComputerSystem.Reset", {"ResetType": kind})


# What ipmi_sim calls them, and what Redfish does: selector and how long it lasts.
BOOT = {"none": ("None", "Disabled"), "pxe": ("Pxe", "Once"), "default": ("Hdd", "Continuous"), "cdrom": ("Cd", "Once"), "bios": ("BiosSetup", "Once")}

if operation == "get":
    system = call("GET")
    for parameter in arguments:
        if parameter == "power":
            print(f"power:{1 if system['PowerState'] == 'On' else 0}")
        elif parameter == "boot":
            target = system["Boot"]["BootSourceOverrideTarget"]
            print("boot:" + next((name for name, (redfish, _) in BOOT.items() if redfish == target), "none"))
        else:
            print(f"{parameter}:")
elif operation == "set":
    for parameter, value in zip(arguments[::2], arguments[1::2]):
        if parameter == "power":
            reset("On" if value == "1" else "ForceOff")
        elif parameter == "reset":
            reset("ForceRestart")
        elif parameter == "shutdown":
            reset("GracefulShutdown")
        elif parameter == "boot":
            target, enabled = BOOT[value]
            call("PATCH", body={"Boot": {"BootSourceOverrideTarget": target, "BootSourceOverrideEnabled": enabled}})
