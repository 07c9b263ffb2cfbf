"""A run from the folders to the file: read, learn, collect, write."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coordcodec import __version__, inits
from coordcodec.clock import Progress
from coordcodec.compute.device import find_device
from coordcodec.data import Floats
from coordcodec.errors import FileError
from coordcodec.files import check_writable, write_bytes
from coordcodec.learning import curve, ranks, stages
from coordcodec.learning.maml import Params
from coordcodec.learning.plan import Plan
from coordcodec.learning.pool import Told
from coordcodec.learning.state import State, validated


def learn(plan: Plan, told: Told | None = None, watch: Progress | None = None) -> dict[str, Any]:
    """Learn an initialisation and write it; returns the facts of the run, none where another process leads.

    told: gets a line at every validation. watch: gets (stage, done, total) now and then.

    Raises CoordCodecError for folders that cannot be learned from, outputs that cannot be written, and a run that
    diverges; KeyboardInterrupt with where the run can go on. Then nothing is written but the checkpoint.
    """
    with ranks.joined(find_device(plan.device)) as (shared, device), warnings.catch_warnings():
        if shared.leads:
            _check_outputs(plan)
        else:
            warnings.simplefilter("ignore", UserWarning)
            told = watch = None
        state = State(plan, shared, device, told or _ignore, watch or _ignore)
        state.pool.left.tell(len(state.pool.files))
        if plan.resume:
            state.restore()
        else:
            state.save()
        try:
            stages.learn(state)
            return _finish(state)
        except KeyboardInterrupt:
            if state.learner.whole:
                state.save()
            raise KeyboardInterrupt(
                f"the state after {state.saved} outer steps is in {plan.checkpoint}; "
                "the same command with --resume goes on"
            ) from None


def _ignore(*told: object) -> None:
    pass


def _check_outputs(plan: Plan) -> None:
    for path in (Path(plan.output), plan.picture):
        check_writable(path, plan.force)
    if plan.checkpoint.exists() and not (plan.resume or plan.force):
        raise FileError(f"{plan.checkpoint} exists; go on from it with --resume, or begin anew with --force")


def _finish(state: State) -> dict[str, Any]:
    """Collect what the coder should know of updates, and write the files."""
    plan, rates = state.plan, [stages.rounded(rate) for rate in state.learner.rates()]
    theta = stages.rounded(state.learner.theta)
    codes, ranges = stages.collect(state, theta, rates)
    if not state.ranks.leads:
        return {}
    before, after = validated(state.net, theta, rates, state.held_back)
    arrays = tuple(_arrays(rate) for rate in rates)
    facts = _facts(state, before, after)
    data = inits.pack(plan.name, state.modality.name, state.net.spec, _arrays(theta), arrays, codes, ranges, facts)
    picture = curve.draw(state.curve, plan.name)
    kept = inits.keep(data)
    write_bytes(plan.picture, picture, plan.force)
    write_bytes(plan.output, data, plan.force)
    return {
        "output": plan.output,
        "hash": inits.parse(data).id.hex(),
        "bytes": len(data),
        "signals": state.pool.signals,
        "tasks": state.pool.tasks,
        "outer_steps": state.learner.step,
        "before_db": round(before, 3),
        "psnr_db": round(after, 3),
        "seconds": round(state.seconds, 1),
        "nan_steps": state.learner.skipped,
        "skipped_files": state.pool.left.count,
        "kept": str(kept),
        "curve": str(plan.picture),
        "checkpoint": str(plan.checkpoint),
        "device": str(state.device),
    }


def _arrays(params: Params) -> dict[str, Floats]:
    """One network's tensors, each (1, ...), as arrays without that axis."""
    return {name: tensor[0].cpu().numpy() for name, tensor in params.items()}


def _facts(state: State, before: float, after: float) -> dict[str, str]:
    """What the initialisation says of itself."""
    plan, pool = state.plan, state.pool
    names = ", ".join(Path(folder).resolve().name for folder in plan.folders)
    return {
        "trained_on": f"{names}: {pool.signals} signals, {pool.tasks} parts, {pool.samples} samples",
        "licence": plan.licence or "not stated",
        "command": plan.command(),
        "versions": f"coordcodec {__version__}, torch {torch.__version__}, numpy {np.__version__}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seed": str(plan.seed),
        "gain": f"{before:.2f} -> {after:.2f} dB in {plan.inner_steps} steps",
        "hours": f"{state.seconds / 3600:.2f}",
    }
