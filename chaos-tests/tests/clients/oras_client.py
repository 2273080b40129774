"""Does one thing with the oras library for Python, and prints what came of it as JSON."""

import json
import sys

from oras.client import OrasClient
from oras.oci import Subject


def main(act, config, target, *rest):
    # It keeps its first token for good, and that of its first look does not allow it to write.
    client = OrasClient(auth_backend="token" if act in ("pull", "tags") else "basic")
    client.auth.load_configs(client.get_container(target), configs=[config])
    if act == "push":
        return client.push(target=target, files=list(rest), config_path=config).status_code
    if act == "attach":
        # The library has no attach of its own: a push with a subject is one.
        kind, digest, size, *files = rest
        subject = Subject(mediaType=kind, digest=digest, size=int(size))
        return client.push(
            target=target, files=files, config_path=config, subject=subject
        ).status_code
    if act == "pull":
        return client.pull(target=target, outdir=rest[0], config_path=config)
    if act == "tags":
        return client.get_tags(target)
    if act == "delete":
        return client.delete_tags(target, tags=list(rest))
    raise SystemExit(f"nothing is called {act}")


print(json.dumps(main(*sys.argv[1:])))
