# SPDX-License-Identifier: Apache-2.0
"""Runs the code cells of a notebook in order and in one namespace, as Jupyter does, in the current folder.

    python run_notebook.py NOTEBOOK ANSWER.json

Runs in a pynq environment. The answer holds what the cells left behind.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    notebook, answer = Path(sys.argv[1]), Path(sys.argv[2])
    sys.path.insert(0, os.getcwd())
    namespace: dict = {"__name__": "__main__"}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"<cell {cell['id']}>", "exec"), namespace)
    import matplotlib

    facts = {
        "verdict": namespace["verdict"],
        "decided": namespace["decided"].tolist(),
        "own": namespace["index"],
        "latency_ms": namespace["latency"],
        "throughput": namespace["throughput"],
        "folder": str(namespace["FOLDER"]),
        "plots": "stand-in" if "stand_in" in str(matplotlib.__path__) else "matplotlib",
    }
    answer.write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
