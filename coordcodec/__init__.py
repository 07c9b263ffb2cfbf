"""coordcodec: a codec for anything that maps coordinates to values.

    file -read-> Signal -plan, fit, quantize-> Symbols -encode-> chunks -pack-> bytes
    file <-write- Field <--------field-------- Symbols <-decode- chunks <-unpack- bytes

The public names:

    compress(source, modality="image", rate=0.3, effort=5) -> bytes
    plan(source, ...) -> Forecast           what compress would do, its time and memory, without doing it
    open(bytes_or_path) -> Compressed       .field(coords)  .render(scale=2)  .samples()  .write(path)  .info
    decompress(bytes_or_path, target)
    Signal, Grid, Recipe                    for those who bring their own data
    errors                                  the exception tree

They are imported when they are first used, so that the command heeds signals from its first moment.
"""

from typing import TYPE_CHECKING

from coordcodec import errors

if TYPE_CHECKING:
    from coordcodec.codec import compress, decompress, open, plan
    from coordcodec.data import Grid, Signal
    from coordcodec.decoder import Compressed
    from coordcodec.recipe import Recipe

__version__ = "0.1.0"

__all__ = ["Compressed", "Grid", "Recipe", "Signal", "compress", "decompress", "errors", "open", "plan"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'coordcodec' has no attribute {name!r}")
    from coordcodec import codec, data, decoder, recipe

    public: dict[str, object] = {"Grid": data.Grid, "Signal": data.Signal}
    public |= {"Compressed": decoder.Compressed, "Recipe": recipe.Recipe}
    public |= {"compress": codec.compress, "decompress": codec.decompress, "open": codec.open, "plan": codec.plan}
    globals().update(public)
    return public[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
