"""The settings as text for where they are deployed. Pure; every format carries the same bytes.

Each Kubernetes format mounts the settings as a folder and keeps them out of everything that the chart of
DIAL Core passes through `tpl`, `envFrom` or `subPath` (core-semantics 6).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping

NAME = "dial-core-settings"
FILE = "aidial.config.json"
FOLDER = "/etc/dial-settings"
LIMIT = 1024 * 1024  # bytes of data in one Secret or ConfigMap

# What a literal block of YAML holds as it is. Not in it: other control characters, and the line breaks that
# only YAML knows (U+0085, U+2028, U+2029).
_LITERAL = re.compile("[\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
_PLAIN = re.compile(r"[\x20-\x7e]")

_MOUNT = f"""\
# Mount it as a folder, and name the file in the environment of Core:
#   volumes:      [{{name: settings, {{kind}}}}]
#   volumeMounts: [{{name: settings, mountPath: {FOLDER}, readOnly: true}}]
#   env:          aidial.config.files = ["{FOLDER}/{FILE}"]
# Not with subPath: Kubernetes never refreshes such a mount, and Core's reload would read the old file for ever.
# Not with envFrom: every value becomes a variable of the process; Linux refuses one of 128 KiB or more, so that the
# pod does not start, and whoever can look at the process reads every key.
"""
_APPLY = """\
# Apply it with `kubectl apply --server-side -f`: plain apply keeps a copy in an annotation, which holds 256 KiB.
"""


class TooLargeError(ValueError):
    """The settings do not fit into this format. The text says why and what to do."""


def as_json(data: bytes, title: str) -> str:
    """The settings file itself."""
    return data.decode()


def as_secret(data: bytes, title: str) -> str:
    """A Secret of Kubernetes."""
    _fit(data, "Secret")
    mount = _MOUNT.replace("{kind}", f"secret: {{secretName: {NAME}}}")
    return f"# DIAL Core's settings: {title}\n{mount}{_APPLY}{_secret(data)}"


def as_configmap(data: bytes, title: str) -> str:
    """A ConfigMap of Kubernetes."""
    _fit(data, "ConfigMap")
    mount = _MOUNT.replace("{kind}", f"configMap: {{name: {NAME}}}")
    return (
        f"# DIAL Core's settings: {title}\n"
        "# They carry secrets, and whoever may look at the namespace can usually read its ConfigMaps. Take\n"
        "# `--format kubernetes-secret` unless another file of Core's list brings the keys.\n"
        f"{mount}{_APPLY}"
        "apiVersion: v1\n"
        "kind: ConfigMap\n"
        "metadata:\n"
        f"  name: {NAME}\n"
        "data:\n"
        f"  {FILE}: {_text(data.decode())}"
    )


def as_helm_values(data: bytes, title: str) -> str:
    """Values for the chart dial-core; in the umbrella chart dial they stand under `core:`."""
    _fit(data, "Secret")
    return f"""\
# DIAL Core's settings: {title}
# Values for the chart dial-core; in the umbrella chart dial put them under "core:".
#
# Why not the value "secrets", as the examples of the chart have it:
# - it passes through Helm's tpl, which executes every {{{{ of a prompt; below they are in base64, which has none;
# - it is injected with envFrom: every value becomes a variable of the process; Linux refuses one of 128 KiB or more,
#   so that the pod does not start, and whoever can look at the process reads every key;
# - its examples mount it with subPath: Kubernetes never refreshes such a mount, and Core's reload would read the old
#   file for ever. A folder is refreshed within about a minute, without a restart.
#
# "extraDeploy" takes a template in the chart that renders it. The versions of dial-core that were looked at declare
# the value and have no such template: there apply `export_settings --format kubernetes-secret` with kubectl, and leave
# "extraDeploy" out. The pod waits for the Secret and starts when it is there.
env:
  aidial.config.files: '["{FOLDER}/{FILE}"]'
extraVolumes:
  - name: dial-settings
    secret:
      secretName: {NAME}
extraVolumeMounts:
  - name: dial-settings
    mountPath: {FOLDER}
    readOnly: true
extraDeploy:
  - {_indented(_secret(data), "    ")}"""


FORMATS: Mapping[str, Callable[[bytes, str], str]] = {
    "json": as_json,
    "kubernetes-secret": as_secret,
    "kubernetes-configmap": as_configmap,
    "helm-values": as_helm_values,
}


def _fit(data: bytes, kind: str) -> None:
    if len(data) > LIMIT:
        raise TooLargeError(
            f"The settings have {len(data):,} bytes, and Kubernetes takes at most {LIMIT:,} in a {kind}. Publish them "
            "to a file or an S3 object that the pod reads, or split them over several files of Core's list."
        )


def _secret(data: bytes) -> str:
    return (
        "apiVersion: v1\n"
        "kind: Secret\n"
        "metadata:\n"
        f"  name: {NAME}\n"
        "type: Opaque\n"
        "data:\n"
        f"  {FILE}: {base64.b64encode(data).decode()}\n"
    )


def _indented(text: str, margin: str) -> str:
    """The lines after the first moved to the right; empty lines stay empty."""
    first, *rest = text.splitlines()
    return "\n".join([first, *(margin + line if line else "" for line in rest)]) + "\n"


def _text(text: str) -> str:
    """A value of YAML that reads back as exactly this text: as readable lines where YAML can hold them."""
    readable = (
        _LITERAL.fullmatch(text) and text.endswith("\n") and not text.endswith("\n\n") and text[:1] not in " \n\t"
    )
    if readable:
        return "|\n" + "".join(f"    {line}\n" if line else "\n" for line in text[:-1].split("\n"))
    return '"' + "".join(map(_escaped, text)) + '"\n'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if _PLAIN.match(character):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
