"""Reading and writing must not load torch: a fresh interpreter is asked, for this one may have it already.

Run as `python -m coordcodec.testing.fresh`, this module is that interpreter: a job on standard input (a Python
literal), its answer on the last line of standard output.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from coordcodec.hookspecs import Modality, Source
from coordcodec.plugins import installed
from coordcodec.testing.fields import nearest_field

_ANSWER, _CLEAN = "loads torch in: ", "nothing"


def check_no_torch(modality: Modality, source: Source | Callable[[], Source], quick: Mapping[str, Any]) -> None:
    """Fail if reading, rendering or writing an example loads torch.

    A modality that cannot be made in another interpreter (a class inside a function) is tested in this one, where
    only what it imports from now on is seen.
    """
    given = source() if callable(source) else source
    culprit = _ask_another(modality, given, quick)
    if culprit is None:
        clean: list[str] = []
        with _without_torch() as wanted:
            for part in _parts(modality, source() if callable(source) else source, quick):
                if wanted:
                    break
                clean.append(part)
        culprit = ("read()", "render()", "write()")[len(clean)] if wanted else _CLEAN
    assert culprit == _CLEAN, (
        f"{culprit} must not load torch: a plugin needs NumPy alone; import it, if at all, inside score()"
    )


def _ask_another(modality: Modality, source: Source, quick: Mapping[str, Any]) -> str | None:
    """What loads torch in a fresh interpreter, "nothing", or None if that cannot make the modality."""
    kind = type(modality)
    job = repr((kind.__module__, kind.__qualname__, modality.name, _packed(source), dict(quick)))
    try:
        ast.literal_eval(job)
    except (ValueError, SyntaxError):
        return None
    done = subprocess.run(
        [sys.executable, "-m", "coordcodec.testing.fresh"],
        input=job,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    answers = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    return answers[-1].removeprefix(_ANSWER) if answers else None


def _packed(source: Source) -> tuple[str, Any]:
    """A source as a literal."""
    if isinstance(source, np.ndarray):
        buffer = io.BytesIO()
        np.save(buffer, source, allow_pickle=False)
        return "array", buffer.getvalue()
    return ("path", os.fspath(source)) if isinstance(source, str | os.PathLike) else ("stream", source.read())


def _unpacked(kind: str, data: Any) -> Source:
    if kind == "path":
        return str(data)
    stream = io.BytesIO(data)
    return np.load(stream, allow_pickle=False) if kind == "array" else stream


def _parts(modality: Modality, source: Source, quick: Mapping[str, Any]) -> Iterator[str]:
    """Use a modality as the codec does; yields the name of each part after it."""
    signal = modality.read(source)
    yield "read()"
    modality.render(nearest_field(signal), signal.meta, **quick)
    yield "render()"
    modality.write(nearest_field(signal), signal.meta, io.BytesIO(), format=modality.suffixes[0], **quick)
    yield "write()"


@contextlib.contextmanager
def _without_torch() -> Iterator[list[str]]:
    """Take torch away; yields the list of those of its modules that somebody wants to import."""
    wanted: list[str] = []

    class Guard:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name.partition(".")[0] == "torch":
                wanted.append(name)
                raise ImportError("read(), render() and write() must not import torch")

    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "torch"}
    sys.meta_path.insert(0, Guard)
    try:
        yield wanted
    except Exception:
        if not wanted:
            raise
    finally:
        sys.meta_path.remove(Guard)
        sys.modules.update(hidden)


def _made(module: str, qualname: str, name: str) -> Modality:
    """The modality of a job: the installed one of that class, or a new one."""
    entry = installed().modalities.entries.get(name)
    if entry and (type(entry.object).__module__, type(entry.object).__qualname__) == (module, qualname):
        return entry.object
    kind: Any = importlib.import_module(module)
    for part in qualname.split("."):
        kind = getattr(kind, part)
    made: Modality = kind()
    return made


def main() -> None:
    """Do the job on standard input."""
    module, qualname, name, source, quick = ast.literal_eval(sys.stdin.read())
    modality = _made(module, qualname, name)
    culprit = "importing its module" if "torch" in sys.modules else _CLEAN
    for part in _parts(modality, _unpacked(*source), quick):
        culprit = part if culprit == _CLEAN and "torch" in sys.modules else culprit
    print(f"{_ANSWER}{culprit}")  # noqa: T201  the answer


if __name__ == "__main__":
    main()
