"""Read and write the project's artifacts; nothing else touches the disk.

Every file appears whole or not at all: it is written under a temporary name beside its
target and renamed at the end.
"""

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from bumpflow.damage import ANEW, DamagedFile, readable
from bumpflow.disk import room_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

T = TypeVar("T")
ROW_GROUP = 131_072
PARQUET = "Parquet table"
CHECKSUM = "sha256"
"""Key, among the settings of a file of tensors, of what :func:`_digest` says of both."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary name to write to, renamed to ``path`` if all goes well.

    Args:
        path: The final file; its folder is made. A failure leaves nothing behind.

    Raises:
        DiskFull: If the file does not fit on its disk.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def remove_folder(path: str | Path) -> None:
    """Remove a folder of temporary files, if it is there."""
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def temporary(path: str | Path) -> Iterator[Path]:
    """Give a name beside ``path`` for a file that is not there any more at the end."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.stem}.{os.getpid()}.whole{path.suffix}")
    try:
        yield name
    finally:
        name.unlink(missing_ok=True)


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 checksum of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: str | Path) -> Any:  # noqa: ANN401
    """Return the content of a JSON file.

    Raises:
        DamagedFile: If it is damaged, or not JSON.
    """
    with readable(path, "JSON file"):
        text = Path(path).read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    msg = f"{name} is no number"
    raise ValueError(msg)


def write_json(path: str | Path, record: Any) -> None:  # noqa: ANN401
    """Write a record of plain values, NumPy scalars and arrays as JSON.

    Raises:
        ValueError: If it holds a NaN or an infinity, which JSON has no words for.
    """
    text = json.dumps(record, indent=2, allow_nan=False, default=_as_plain)
    with atomic(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def _as_plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    msg = f"cannot write a {type(value).__name__} as JSON"
    raise TypeError(msg)


def read_yaml(path: str | Path) -> Any:  # noqa: ANN401
    """Return the content of a YAML file.

    Raises:
        DamagedFile: If it is damaged, or not YAML of plain values.
    """
    with readable(path, "YAML file"):
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def write_yaml(path: str | Path, record: Any) -> None:  # noqa: ANN401
    """Write a record of plain values as YAML, keys in their order."""
    with atomic(path) as part:
        part.write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")


def read_text(path: str | Path) -> str:
    """Return the content of a text file.

    Raises:
        DamagedFile: If it is no text in UTF-8.
    """
    with readable(path, "text file"):
        return Path(path).read_text(encoding="utf-8")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def write_gzip(path: str | Path, lines: Iterable[str]) -> None:
    """Write lines of text, compressed; the same lines give the same bytes."""
    with (
        atomic(path) as part,
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file,
    ):
        file.writelines(f"{line}\n".encode() for line in lines)


def read_table(
    path: str | Path,
    *,
    columns: list[str] | None = None,
    where: Any = None,  # noqa: ANN401
) -> pd.DataFrame:
    """Return a Parquet table, or the part of it that is asked for.

    Args:
        path: Parquet file.
        columns: Columns to read, in this order; all by default.
        where: Row filter in PyArrow's form, such as ``[("split", "in", ["test"])]``.

    Raises:
        DamagedFile: If it is damaged, not Parquet, or lacks one of the columns.
    """
    _refuse_foreign(path, columns or [])
    with readable(path, PARQUET):
        table = pq.read_table(
            path, columns=columns, filters=where, page_checksum_verification=True
        )
        return table.to_pandas()


def read_arrow(path: str | Path, *, columns: list[str] | None = None) -> pa.Table:
    """Return a Parquet table as it is stored, which keeps lists as lists.

    Raises:
        DamagedFile: As :func:`read_table`.
    """
    _refuse_foreign(path, columns or [])
    with readable(path, PARQUET):
        return pq.read_table(path, columns=columns, page_checksum_verification=True)


def read_events(
    path: str | Path, *, features: Sequence[str], label: int, splits: Sequence[str]
) -> np.ndarray:
    """Return the events of one label and some splits, shape ``(n_events, n_features)``.

    Args:
        path: Events with columns ``label`` and ``split``.
        features: Columns to read, in this order.
        label: Which events: 0 background, 1 signal.
        splits: Names of the splits.

    Raises:
        DamagedFile: As :func:`read_table`.
        ValueError: If there are none.
    """
    check_columns(path, features)
    where = [("label", "==", label), ("split", "in", list(splits))]
    events = read_table(path, columns=list(features), where=where).to_numpy("float32")
    if not len(events):
        msg = f"{path} has no events of label {label} in {', '.join(splits)}: look at `splits`"
        raise ValueError(msg)
    return events


def read_pieces(path: str | Path, *, n_rows: int = ROW_GROUP) -> Iterator[pa.Table]:
    """Yield a Parquet table in pieces of at most ``n_rows`` rows; one without rows is one piece.

    Raises:
        DamagedFile: If it is damaged, or not Parquet.
    """
    with (
        readable(path, PARQUET),
        pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file,
    ):
        if not file.metadata.num_rows:
            yield file.schema_arrow.empty_table()
        for batch in file.iter_batches(n_rows):
            yield pa.Table.from_batches([batch])


def count_groups(path: str | Path) -> int:
    """Return the number of row groups of a Parquet table.

    Raises:
        DamagedFile: If it is damaged, or not Parquet.
    """
    with readable(path, PARQUET):
        return int(pq.read_metadata(path).num_row_groups)


def read_groups(
    path: str | Path, groups: Iterable[int], *, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield row groups of a Parquet table by number.

    Raises:
        DamagedFile: If it is damaged, or not Parquet.
    """
    with (
        readable(path, PARQUET),
        pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file,
    ):
        for group in groups:
            yield file.read_row_group(group, columns=list(columns))


def read_event_pieces(
    path: str | Path, *, columns: Sequence[str], label: int, splits: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """Yield the events of one label and some splits piece by piece, in their order.

    Args:
        path: Events with columns ``label`` and ``split``.
        columns: Columns to read.
        label: Which events: 0 background, 1 signal.
        splits: Names of the splits.

    Raises:
        DamagedFile: As :func:`read_table`.
        ValueError: If the table lacks a column.
    """
    check_columns(path, columns)
    _refuse_foreign(path, ["label", "split"])
    wanted = (pc.field("label") == label) & pc.field("split").cast("string").isin(list(splits))
    for piece in read_pieces(path):
        rows = piece.filter(wanted).select(list(columns))
        if rows.num_rows:
            yield rows.to_pandas()


def as_split(events: pd.DataFrame, split: str, *, names: Sequence[str], label: int) -> pa.Table:
    """Return events with columns ``label`` and ``split``, as :func:`read_events` wants them.

    Args:
        events: Events.
        split: What these are for.
        names: All splits of the file.
        label: 0 background, 1 signal.
    """
    table = pa.Table.from_pandas(events, preserve_index=False)
    position = pa.array(np.full(len(events), list(names).index(split), dtype=np.int8))
    kind = pa.DictionaryArray.from_arrays(position, pa.array(list(names), pa.string()))
    table = table.append_column("label", pa.array(np.full(len(events), label, dtype=np.int8)))
    return table.append_column("split", kind)


def check_columns(path: str | Path, columns: Sequence[str]) -> None:
    """Check that a Parquet table has some columns.

    Raises:
        ValueError: If it lacks any; it names them all, and the columns that there are.
    """
    present = read_columns(path)
    if missing := [name for name in columns if name not in present]:
        msg = (
            f"{path} has no column {', '.join(map(repr, missing))}: choose `features` among"
            f" {', '.join(present)}"
        )
        raise ValueError(msg)


def read_columns(path: str | Path) -> list[str]:
    """Return the names of a Parquet table's columns.

    Raises:
        DamagedFile: If it is damaged, or not Parquet.
    """
    with readable(path, PARQUET):
        return list(pq.read_schema(path).names)


def _refuse_foreign(path: str | Path, columns: Sequence[str]) -> None:
    """Refuse a table that lacks columns which whoever wrote it should have written."""
    present = read_columns(path)
    if missing := [name for name in columns if name not in present]:
        msg = (
            f"{path}: another table than expected, without {', '.join(missing)} but with"
            f" {', '.join(present) or 'no columns'}: {ANEW}"
        )
        raise DamagedFile(msg)


def read_table_metadata(path: str | Path) -> dict[str, str]:
    """Return what :class:`TableWriter` stored beside the columns.

    Raises:
        DamagedFile: If the file is damaged, or not Parquet.
    """
    own = (b"ARROW:schema", b"pandas")  # PyArrow's
    with readable(path, PARQUET):
        metadata = pq.read_metadata(path).metadata or {}
        return {key.decode(): value.decode() for key, value in metadata.items() if key not in own}


def write_table(
    path: str | Path, table: pd.DataFrame, *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a table as Parquet.

    Args:
        path: Parquet file.
        table: Columns by name; the index is not kept.
        metadata: Texts to store in the file, such as the source of its events.
    """
    with TableWriter(path, metadata=metadata) as writer:
        writer.write(table)


class TableWriter:
    """Write a Parquet table piece by piece, with memory bounded by one piece.

    A context manager: the file appears when it closes without an exception.
    """

    def __init__(self, path: str | Path, *, metadata: Mapping[str, str] | None = None) -> None:
        """Take the target's name; ``metadata`` may still grow until the first piece."""
        self.metadata = dict(metadata or {})
        self._atomic = atomic(path)
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []

    def __enter__(self) -> Self:
        """Open the temporary file."""
        self._part = self._atomic.__enter__()
        return self

    def write(self, table: pd.DataFrame | pa.Table) -> None:
        """Append rows; the first piece fixes the columns and their types."""
        if isinstance(table, pd.DataFrame):
            table = pa.Table.from_pandas(table, preserve_index=False)
        if self._writer is None:
            self._writer = _open_parquet(self._part, table.schema.with_metadata(self.metadata))
        self._pending.append(table.cast(self._writer.schema))
        n_rows = sum(piece.num_rows for piece in self._pending)
        self._write_first(n_rows - n_rows % ROW_GROUP)

    def add_metadata(self, metadata: Mapping[str, str]) -> None:
        """Store further texts, known only once the rows were seen."""
        if self._writer is None:
            msg = "write at least one piece before add_metadata"
            raise RuntimeError(msg)
        self._writer.add_key_value_metadata(dict(metadata))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file and give it its name, unless something failed."""
        try:
            if self._writer is not None:
                if kind is None:
                    self._write_first(sum(piece.num_rows for piece in self._pending))
                self._writer.close()
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._atomic.__exit__(kind, error, trace)

    def _write_first(self, n_rows: int) -> None:
        """Write the first of the pending rows, in row groups of equal size."""
        if n_rows and self._writer is not None:
            table = pa.concat_tables(self._pending)
            self._writer.write_table(table.slice(0, n_rows), row_group_size=ROW_GROUP)
            self._pending = [table.slice(n_rows)]


def _open_parquet(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer; floats do not repeat, so their bytes are sorted by place instead."""
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[field.name for field in schema if field.name not in floats],
        use_byte_stream_split=floats,
        write_page_checksum=True,
    )


def read_tensors(path: str | Path) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Return a safetensors file's tensors, and the settings stored with them.

    Raises:
        DamagedFile: If the file is damaged, not safetensors, or not what was written: a checksum
            tells, where the file has one.
    """
    from safetensors import SafetensorError, safe_open

    with (
        readable(path, "model file", also=(SafetensorError,)),
        safe_open(path, framework="pt") as file,
    ):
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        settings = dict(json.loads((file.metadata() or {}).get("settings", "{}")))
        if settings.pop(CHECKSUM, "") not in ("", found := _digest(tensors, settings)):
            msg = f"its content has the sha256 {found}, but another one was written"
            raise ValueError(msg)
    return tensors, settings


def read_model(path: str | Path, restore: Callable[[dict[str, "Tensor"], dict[str, Any]], T]) -> T:
    """Return what is restored from a file's tensors and settings.

    Args:
        path: Model file.
        restore: Takes the tensors and the settings, and rebuilds what they were stored from.

    Raises:
        DamagedFile: If the file is damaged, or holds another kind of model.
    """
    parts = read_tensors(path)
    with readable(path, "model of the kind that is needed here"):
        return restore(*parts)


def _digest(tensors: Mapping[str, "Tensor"], settings: Mapping[str, Any]) -> str:
    """Return a checksum of tensors, their names, types and shapes, and settings."""
    import torch

    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(
            tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
        )
    return digest.hexdigest()


def write_tensors(
    path: str | Path, tensors: Mapping[str, "Tensor"], *, settings: Mapping[str, Any]
) -> None:
    """Write tensors and the settings that give them a meaning as safetensors.

    Args:
        path: Model file; no pickle is involved in writing or reading it.
        tensors: A network's ``state_dict``, or any other tensors by name.
        settings: Plain values, stored as JSON in the file's metadata, with a checksum of all.
    """
    from safetensors.torch import save_file

    # Clones, as safetensors refuses tensors that share memory.
    flat = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    plain = json.loads(json.dumps(settings, allow_nan=False, default=_as_plain))
    # One text of metadata: the order of several is not the same at each writing.
    text = json.dumps(plain | {CHECKSUM: _digest(flat, plain)})
    with atomic(path) as part:
        save_file(flat, part, metadata={"settings": text})


def read_benchmarks(folder: str | Path) -> pd.DataFrame:
    """Return what Snakemake measured of its jobs, one row each.

    Args:
        folder: Folder of benchmark files ``<rule>/<wildcards>.tsv``; it may be missing.

    Returns:
        Columns ``rule``, ``job``, ``seconds``, ``cpu_seconds``, ``memory_mib`` (peak resident
        memory; NaN, as CPU time, for jobs too short to measure) and ``finished`` (time of the
        job's end [s since 1970]).

    Raises:
        DamagedFile: If a file is damaged, or none of Snakemake's.
    """
    rows = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        rule, *job = path.relative_to(folder).with_suffix("").parts
        with readable(path, "benchmark file"):
            measured = pd.read_csv(path, sep="\t", na_values=["-", "NA"]).mean(numeric_only=True)
            numbers = [float(measured.get(name, np.nan)) for name in ("cpu_time", "max_rss")]
            rows.append(
                (rule, "/".join(job), float(measured["s"]), *numbers, path.stat().st_mtime)
            )
    columns = ["rule", "job", "seconds", "cpu_seconds", "memory_mib", "finished"]
    return pd.DataFrame(rows, columns=columns)


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a binary file."""
    return Path(path).read_bytes()


def save_figure(figure: "Figure", *paths: str | Path) -> None:
    """Write a figure once per path, in the format that the suffix names, and close it.

    Files are reproducible byte by byte: no date goes into them.
    """
    import matplotlib.pyplot as plt

    no_date = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    for path in map(Path, paths):
        with atomic(path) as part:
            figure.savefig(part, metadata=no_date.get(path.suffix))
        figure.set_layout_engine("none")  # panels are in place; arranging them is slow
    plt.close(figure)
