"""Puts the machines of another Redfish service behind sushy-tools' fake driver.

Imported by the emulator's configuration file, which is a program: `import world; world.behind(MACHINES, LOG)`. MACHINES maps UUIDs (upper case) to
{"system": URL of the ComputerSystem, "user": ..., "password": ...}. Power and boot device are those of the machine; orders are written to LOG.
"""

import base64
import json
import urllib.request

from sushy_tools.emulator.resources.systems import fakedriver

# How long an override holds: the emulator itself knows no duration.
LASTING = {"Pxe": "Once", "Hdd": "Continuous", "None": "Disabled"}


def behind(machines, log):
    def call(identity, method, path="", body=None):
        machine = machines[identity.upper()]
        login = base64.b64encode(f"{machine['user']}:{machine['password']}".encode()).decode()
        request = urllib.request.Request(
            machine["system"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def note(identity, what):
        with open(log, "a") as file:
            file.write(f"{identity.upper()} {what}\n")

    def get_power_state(self, identity):
        self._get(identity)
        return call(identity, "GET")["PowerState"]

    def set_power_state(self, identity, state):
        self._get(identity)
        note(identity, state)
        call(identity, "POST", "/Actions/ComputerSystem.Reset", {"ResetType": state})

    def get_boot_device(self, identity):
        self._get(identity)
        boot = call(identity, "GET")["Boot"]
        return "Hdd" if boot["BootSourceOverrideEnabled"] == "Disabled" else boot["BootSourceOverrideTarget"]

    def set_boot_device(self, identity, source):
        self._get(identity)
        note(identity, f"boot {source}")
        body = {"BootSourceOverrideTarget": source, "BootSourceOverrideEnabled": LASTING.get(source, "Once")}
        call(identity, "PATCH", body={"Boot": body})

    for function in (get_power_state, set_power_state, get_boot_device, set_boot_device):
        setattr(fakedriver.FakeDriver, function.__name__, function)
