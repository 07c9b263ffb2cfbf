"""Write measured figures into the documentation: `python -m coordcodec_bench.documents` or `make docs`.

A page marks a place with `<!-- table: NAME -->` and `<!-- end -->`; what stands between is made from the result files
in benchmarks/results and nothing else, so that no figure is written by hand. A test checks that they agree.
"""

from __future__ import annotations

import re
from pathlib import Path

from coordcodec_bench.tables import TABLES

PAGES = ("README.md", "docs/benchmarks.md", "docs/detail-ablation.md", "docs/initialisations.md", "docs/sound.md")
RESULTS = Path("benchmarks/results")


def refreshed(text: str, results: Path) -> str:
    """A page with its tables made anew."""

    def table(match: re.Match[str]) -> str:
        return f"<!-- table: {match[1]} -->\n{TABLES[match[1]](results)}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", table, text, flags=re.S)


def main() -> None:
    """Refresh all pages."""
    for name in PAGES:
        page = Path(name)
        page.write_text(refreshed(page.read_text(), RESULTS))
        print(f"{name} is up to date")


if __name__ == "__main__":
    main()
