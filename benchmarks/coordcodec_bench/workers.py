"""Measure in processes of their own, which may crash or hang without harm to the run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from coordcodec.data import Signal
from coordcodec.errors import CoordCodecError, UnknownName
from coordcodec.hookspecs import Modality
from coordcodec.plugins import installed
from coordcodec_bench import facts, ours
from coordcodec_bench.baseline import Baseline, Baselines, NotInstalled, Search
from coordcodec_bench.baselines import baselines_of
from coordcodec_bench.promised import Promises
from coordcodec_bench.rows import Row, Target

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One file and one codec at one or more rates or promises; see `coordcodec_bench.rows` for the words."""

    path: str
    modality: str
    codec: str
    rates: tuple[Target, ...]
    effort: int = 5
    seed: int = 0
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)


def rows_of(task: Task) -> Iterator[Row]:
    """A row for each rate or promise of a task. Whatever a codec raises is the row's reason to have failed."""
    subject, facts_of_all = _Subject(task), _facts()
    for rate in task.rates:
        memory = facts.Memory()
        row: Row = {"status": "ok"}
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always", UserWarning)
                row |= subject.kept(rate) if isinstance(rate, str) else subject.at(rate)
            row |= {"warnings": [str(warning.message) for warning in told]} if told else {}
        except (ImportError, NotInstalled) as error:
            row = {"status": "skipped", "reason": f"not installed: {error}"}
        except CoordCodecError as error:
            row = {"status": "failed", "reason": str(error)}
        except Exception as error:  # noqa: BLE001  other people's codecs raise anything
            words = str(error).strip().splitlines() or [""]
            row = {"status": "failed", "reason": f"{type(error).__name__}: {words[0]}"}
        yield row | {"peak_memory_mib": memory.peak_mib()} | facts_of_all


class _Subject:
    """The file of a task, read once, and the codec that it is given to."""

    def __init__(self, task: Task) -> None:
        self.task, self.kind = task, installed().modalities.get(task.modality)
        self.version = ""
        self._signal: Signal | None = None
        self._search: Search | None = None
        self._promises: Promises | None = None

    @property
    def signal(self) -> Signal:
        if self._signal is None:
            self._signal = self.kind.read(self.task.path, **self.task.options)
        return self._signal

    def at(self, rate: float) -> Row:
        """The row of a rate."""
        task, own = self.task, ours.parse(self.task.codec)
        if own is None and not self.version:
            self.version = _baseline_of(task)[0].version()  # report a missing library before any work
        if own is not None:
            signal = self.signal
            row = ours.measure(own, signal, self.kind, own.recipe(self.kind, rate, task.effort, task.seed, task.device))
        else:
            self._search = self._search or Search(*_baseline_of(task), self.signal)
            row = self._search.best(_size(rate, self.kind, self.signal)) | {"version": self.version}
        return row | {"rate": self.kind.rate(row["bytes"], self.signal.meta)}

    def kept(self, promise: str) -> Row:
        """The row of a promise."""
        task = self.task
        self._promises = self._promises or Promises(self.signal, self.kind, task.codec)
        return self._promises.row(promise, task.effort, task.seed, task.device)


Work = Callable[[Task], Iterator[Row]]


def _baseline_of(task: Task) -> tuple[Baseline, Baselines]:
    baselines = baselines_of(task.modality)
    if baselines is None or task.codec not in baselines.codecs:
        raise UnknownName("codec", task.codec, [*ours.OURS, *(baselines.codecs if baselines else ())])
    return baselines.codecs[task.codec], baselines


def _size(rate: float, kind: Modality, signal: Signal) -> int:
    return max(1, int(rate / kind.rate(1, signal.meta)))


def _facts() -> Row:
    import torch

    from coordcodec import __version__

    return {
        "coordcodec": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": facts.machine(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _serve(connection: Connection, threads: int | None, work: Work) -> None:
    """A worker's life: take a task, send its rows and then None, until nobody sends any more."""
    os.setsid()  # so that the programs it runs can be ended with it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        for row in work(task):
            connection.send(row)
        connection.send(None)


@dataclass
class _Worker:
    process: Any
    connection: Connection
    task: Task
    deadline: float


class Crew:
    """Processes that share out tasks.

    jobs: how many, >= 1; with more than one each computes with one thread. limit: seconds that a row may take.
    work: what they do with a task.
    """

    def __init__(self, jobs: int, limit: float, work: Work = rows_of) -> None:
        self.jobs, self.limit, self.work = jobs, limit, work
        self._context = multiprocessing.get_context("spawn")

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Target, Row]]:
        """Each row as it comes, with its task and rate. The processes end when the iterator is closed."""
        waiting = deque(task for task in tasks if task.rates)
        idle: list[tuple[Any, Connection]] = []
        busy: list[_Worker] = []
        try:
            while waiting or busy:
                while waiting and len(busy) < self.jobs:
                    process, connection = idle.pop() if idle else self._start()
                    task = waiting.popleft()
                    connection.send(task)
                    busy.append(_Worker(process, connection, task, time.monotonic() + self.limit))
                next_deadline = min(worker.deadline for worker in busy)
                ready = wait([worker.connection for worker in busy], max(0.0, next_deadline - time.monotonic()))
                for worker in [*busy]:
                    late = time.monotonic() >= worker.deadline
                    if worker.connection not in ready and not late:
                        continue
                    row, alive = self._next(worker) if worker.connection in ready else (self._too_slow(), False)
                    if row is not None:
                        yield worker.task, worker.task.rates[0], row
                        worker.task = replace(worker.task, rates=worker.task.rates[1:])
                        worker.deadline = time.monotonic() + self.limit
                    if row is None or not alive:
                        busy.remove(worker)
                    if not alive:
                        _kill(worker.process)
                        waiting.extendleft([worker.task] if worker.task.rates else [])
                    elif row is None:
                        idle.append((worker.process, worker.connection))
        finally:
            for process in [*(process for process, _ in idle), *(worker.process for worker in busy)]:
                _kill(process)

    def _start(self) -> tuple[Any, Connection]:
        ours_end, theirs = self._context.Pipe()
        threads = 1 if self.jobs > 1 else None
        before = {name: os.environ.get(name) for name in _THREADS}
        try:
            if threads:
                os.environ.update(dict.fromkeys(_THREADS, str(threads)))
            process = self._context.Process(target=_serve, args=(theirs, threads, self.work), daemon=True)
            process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        theirs.close()
        return process, ours_end

    def _next(self, worker: _Worker) -> tuple[Row | None, bool]:
        """What a worker sent, and whether it lives."""
        try:
            return worker.connection.recv(), True
        except (EOFError, OSError):
            worker.process.join(5)
            code = worker.process.exitcode
            name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            return {"status": "failed", "reason": f"the process that ran the codec crashed ({name})"}, False

    def _too_slow(self) -> Row:
        return {"status": "failed", "reason": f"no result after {self.limit:g} s; see --time-limit"}


def _kill(process: Any) -> None:
    """End a process and the programs that it runs."""
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.kill()
    process.join(10)
