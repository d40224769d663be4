"""The dashboard's half of the demo, started by the `demo` command with an environment of its own.

`python -m dialadmin.demo.dashboard DIRECTORY PORT` prepares the database, mirrors the pool, imports the
sample settings once, and serves until its standard input closes.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

SAMPLE_SETTINGS = "dialadmin/demo/settings.json"  # as history will name it
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

WELCOME = """
  dialadmin demo: {url}

  Sign in as Ada Nwosu, who may do everything, and try:
    1. Deployments, gpt-4-turbo: it was given the role "analyst", and the pool has "analysts".
       Attach analysts, detach analyst.
    2. Set a limit there for analysts, say 20000 tokens a minute.
    3. Review, and read what changes for people; make the release and publish it to a file.
  Then sign out and come back as an editor, an auditor, or Nico, who has no rights.

  Everything is kept for the next start (make demo RESET=1 starts over). Ctrl-C stops.
"""


def prepare(directory: Path) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("sync_cognito", stdout=StringIO())
    imported = directory / "imported"
    if not imported.exists():
        call_command("import_settings", SAMPLE_SETTINGS, stdout=StringIO())
        imported.touch()


def serve(port: int) -> None:
    from django.conf import settings
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler, get_internal_wsgi_application

    server = ThreadedWSGIServer(("127.0.0.1", port), WSGIRequestHandler)
    server.set_app(at_one_address(get_internal_wsgi_application(), settings.PUBLIC_URL))
    logging.getLogger("django.server").setLevel(logging.ERROR)  # after the application, which configures logging
    sys.stdout.write(WELCOME.format(url=settings.PUBLIC_URL))
    sys.stdout.flush()
    server.serve_forever()


def at_one_address(application: WSGIApplication, public_url: str) -> WSGIApplication:
    """Send 127.0.0.1 to localhost: cookies belong to a host, and sign-in comes back to the latter."""

    def redirecting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("HTTP_HOST", "").startswith("127.0.0.1"):
            return application(environ, start_response)
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        start_response("302 Found", [("Location", f"{public_url}{environ['PATH_INFO']}{query}")])
        return [b""]

    return redirecting


def end_with_parent() -> None:
    """Wait for the end of standard input: the parent has gone, also when it was killed outright."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main(directory: Path, port: int) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ["DJANGO_SETTINGS_MODULE"] = "dialadmin.settings"
    import django
    from django.core.management.base import CommandError

    django.setup()
    try:
        prepare(directory)
    except CommandError as error:
        sys.exit(f"The demo cannot start: {error}")
    serve(port)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
