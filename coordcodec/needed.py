"""The learned initialisation that a file was made with: the one that is given, or the one that is found."""

from __future__ import annotations

import os

from coordcodec import inits
from coordcodec.errors import ContainerError, InitialisationError
from coordcodec.inits import Initialisation
from coordcodec.stream.container import Container


def given_init(container: Container, init: Initialisation | str | os.PathLike[str]) -> Initialisation:
    """An initialisation, by path or name too, that must be the one that a file names.

    Raises InitialisationError when it is another one, ContainerError when it does not fit the file.
    """
    given = init if isinstance(init, Initialisation) else inits.named(os.fspath(init))
    if given.id != container.init:
        named = f"the file names {container.init.hex()}" if container.init else "the file names none"
        raise InitialisationError(
            f"{given.name} is not the initialisation this file was made with (hash {given.id.hex()}, {named})"
        )
    _check(container, given)
    return given


def needed_init(container: Container) -> Initialisation | None:
    """The initialisation that a file names, from those at hand; None if it names none.

    Raises MissingInitialisation when it is not at hand, ContainerError when it does not fit the file.
    """
    named = [section for section in container.sections if section.init]
    if not named:
        return None
    network = named[0].spec.network
    assert network is not None, "a section without one names no initialisation, see Layer.check"
    found = inits.find(named[0].init, network, container.modality)
    _check(container, found)
    return found


def _check(container: Container, init: Initialisation) -> None:
    for section in container.sections:
        network = section.spec.network
        if section.init and (init.spec, init.modality) != (network, container.modality):
            theirs, ours = f"{init.modality}, {init.spec}", f"{container.modality}, {network}"
            raise ContainerError(f"damaged file: it names an initialisation of {theirs}, but it is of {ours}")
