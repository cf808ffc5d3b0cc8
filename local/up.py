"""A stack that keeps serving, for whoever wants to try Moor by hand or by script."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from local import tenant
from local import world as worlds
from local.demo.views import View
from local.processes import StackError, is_free
from local.stack import Options, Stack, running_stack

CLUSTERS = ("aks-vision", "aks-speech")
# Where ``func start`` serves and where the documentation points to; another one when it is taken.
_USUAL_PORT = 7071
_LOOK_SECONDS = 0.5
DESCRIPTION = "stack.json"


def serve(view: View, run_dir: Path, factor: float) -> int:
    """Serve until interrupted; 0 then, 1 when a part does not start or ends. Writes and removes stack.json."""
    description = run_dir / DESCRIPTION
    view.title("Moor", "a local stack to try it on")
    try:
        _refuse_second(description)
        options = Options(
            factor=factor,
            world=worlds.world_of(*CLUSTERS),
            port=_USUAL_PORT if is_free(_USUAL_PORT) else None,
        )
        state_dir = run_dir / "up"
        with running_stack(options, state_dir=state_dir, progress=lambda part: view.line(f"starting {part}")) as stack:
            try:
                _describe(description, stack)
                _explain(view, stack, description)
                _watch(view, stack, description)
            finally:
                description.unlink(missing_ok=True)
    except KeyboardInterrupt:
        view.line("stopped; nothing is left running")
        return 0
    except StackError as error:
        view.failure(str(error))
        return 1
    return 0


def _watch(view: View, stack: Stack, description: Path) -> None:
    """Stay until interrupted. A host that dies is started again, as Azure does; other parts are not."""
    while True:
        time.sleep(_LOOK_SECONDS)
        stack.check_parts()
        if not stack.host_alive:
            view.line("the Functions host has gone; starting it again: operations continue where they were")
            stack.start_host()
            _describe(description, stack)


def _describe(path: Path, stack: Stack) -> None:
    """Replace the file in one step; only its owner may read it, because it holds keys."""
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(stack.about(), file, indent=2)
        file.write("\n")
    temporary.replace(path)


def _refuse_second(description: Path) -> None:
    """Raise StackError when the stack that the file describes still runs."""
    with suppress(FileNotFoundError, ValueError, KeyError, ProcessLookupError):
        owner = int(json.loads(description.read_text())["processIds"]["stack"])
        os.kill(owner, 0)
        raise StackError(f"a stack is up already (process {owner}, see {description}); end it with Ctrl-C there")


def _token_command(variable: str, person: tenant.Person, description: Path) -> str:
    """What gives a token of a person to a shell."""
    return f"{variable}=$({sys.executable} -m local token {person.key} --run-dir {description.parent})"


def _explain(view: View, stack: Stack, description: Path) -> None:
    factor = stack.clock.factor
    view.section("Serving")
    view.line(f"API        {stack.url}/api")
    view.line(f"workspace  {worlds.WORKSPACE}")
    for name in CLUSTERS:
        view.line(f"cluster    {worlds.cluster_id(name)}")
    view.line(f"clock      {factor:g} simulated seconds a second: an attach takes about {15 * 60 / factor:.0f} s")
    view.line(f"more       {description} (keys, CA bundle, process ids), {stack.state_dir / 'logs'}")
    view.section("Try it in another terminal")
    attach = json.dumps(
        {"workspaceId": worlds.WORKSPACE, "clusterId": worlds.cluster_id(CLUSTERS[0]), "computeName": "gpu-pool"}
    )
    view.command(
        f"{_token_command('ADA', tenant.ASKER, description)}\n"
        f'curl -s {stack.url}/api/attach -H "Authorization: Bearer $ADA" -H "Content-Type: application/json" \\\n'
        f"  -d '{attach}'\n"
        f'curl -s {stack.url}/api/operations -H "Authorization: Bearer $ADA"\n'
        f'curl -s {stack.url}/api/operations/ID/journal -H "Authorization: Bearer $ADA"'
    )
    view.line(f"{tenant.APPROVER.name} answers what an operation asks (approve, reject)")
    view.command(_token_command("GRACE", tenant.APPROVER, description))
    view.line("Ctrl-C ends everything")
