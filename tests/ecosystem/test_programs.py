"""Programs that other people wrote read and write real files on our stores."""

from __future__ import annotations

from typing import Any

import pytest

from remote_store_fsspec import RemoteStoreFileSystem

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(300),
    # Theirs are not ours to mend; what is left open may be ours.
    pytest.mark.filterwarnings("ignore", "error::ResourceWarning"),
]

Options = dict[str, Any]
CITIES = {
    "country": ["no", "no", "de", "de", "fr"],
    "city": ["Oslo", "Bergen", "Ulm", "Jena", "Nice"],
    "people": [717, 291, 128, 111, 343],
}


def test_pandas_csv(options: Options, fs: RemoteStoreFileSystem) -> None:
    """Text, compressed text, and a table that cannot be written."""
    import pandas as pd

    table = pd.DataFrame(CITIES)
    for name in ("a.csv", "a.csv.gz", "a.json"):
        kind = name.split(".")[1]
        getattr(table, f"to_{kind}")(
            f"remote-store:///new/{name}",
            storage_options=options,
            **({"index": False} if kind == "csv" else {}),
        )
        read = getattr(pd, f"read_{kind}")
        assert read(f"remote-store:///new/{name}", storage_options=options).equals(table), name

    class Odd:
        def __str__(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pd.DataFrame({"a": [1, Odd()]}).to_csv("remote-store:///a/odd.csv", storage_options=options)
    assert not fs.exists("/a/odd.csv")


def test_pandas_partitioned_parquet(options: Options, fs: RemoteStoreFileSystem) -> None:
    """Written as folders, read as one table, and in part."""
    import pandas as pd

    table = pd.DataFrame(CITIES)
    table.to_parquet("remote-store:///one.parquet", storage_options=options)
    assert pd.read_parquet("remote-store:///one.parquet", storage_options=options).equals(table)

    where = "remote-store:///cities"
    table.to_parquet(where, partition_cols=["country"], storage_options=options)
    assert [name.rpartition("/")[0] for name in fs.find("/cities")] == [
        f"/cities/country={country}" for country in ("de", "fr", "no")
    ]
    found = pd.read_parquet(
        where, storage_options=options, columns=["people"], filters=[("country", "==", "de")]
    )
    assert sorted(found["people"]) == [111, 128]


def test_arrow_dataset(fs: RemoteStoreFileSystem) -> None:
    """Written in partitions and read with filter and projection."""
    import pyarrow as pa
    from pyarrow import dataset, parquet

    table = pa.table(CITIES)
    dataset.write_dataset(
        table,
        "/data",
        filesystem=fs,
        format="parquet",
        partitioning=["country"],
        partitioning_flavor="hive",
    )
    found = dataset.dataset("/data", filesystem=fs, partitioning="hive")
    assert found.count_rows() == 5
    german = found.to_table(columns=["city"], filter=dataset.field("country") == "de")
    assert sorted(german["city"].to_pylist()) == ["Jena", "Ulm"]

    parquet.write_table(table, "/one.parquet", filesystem=fs)
    assert parquet.read_table("/one.parquet", filesystem=fs, columns=["city"]).num_rows == 5
    with pytest.raises(FileNotFoundError):
        parquet.read_table("/none.parquet", filesystem=fs)


def test_one_column_costs_what_arrow_asks_for(
    options: Options, fs: RemoteStoreFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its filesystem and by pandas: at most 1.2 times the column and the footer."""
    import numpy as np
    import pandas as pd
    from pyarrow import parquet

    random = np.random.default_rng(1)
    table = pd.DataFrame({f"c{n}": random.random(50_000) for n in range(20)})
    table.to_parquet("remote-store:///wide.parquet", storage_options=options, row_group_size=9_000)
    fetched: list[int] = []
    fetch = RemoteStoreFileSystem._range

    async def counting(self: Any, *arguments: Any) -> bytes:
        found = await fetch(self, *arguments)
        fetched.append(len(found))
        return found

    monkeypatch.setattr(RemoteStoreFileSystem, "_range", counting)
    metadata: Any = parquet.read_metadata("/wide.parquet", filesystem=fs)
    groups = [metadata.row_group(n).column(7) for n in range(metadata.num_row_groups)]
    needed = sum(group.total_compressed_size for group in groups) + (64 << 10)
    reads: tuple[Any, ...] = (
        lambda: parquet.read_table("/wide.parquet", filesystem=fs, columns=["c7"]),
        lambda: pd.read_parquet(
            "remote-store:///wide.parquet", storage_options=options, columns=["c7"]
        ),
    )
    for read in reads:
        fetched.clear()
        assert len(read()) == 50_000
        assert needed / 2 < sum(fetched) <= 1.2 * needed


def test_polars(options: Options, fs: RemoteStoreFileSystem) -> None:
    """Through open files, and lazily through a dataset of Arrow."""
    import polars as pl
    from pyarrow import dataset

    table = pl.DataFrame(CITIES)
    with fs.open("/a/cities.parquet", "wb") as file:
        table.write_parquet(file)
    with fs.open("/a/cities.parquet") as file:
        assert pl.read_parquet(file, columns=["city"]).equals(table.select("city"))
    with fs.open("/a/cities.csv", "wb") as file:
        table.write_csv(file)
    with fs.open("/a/cities.csv") as file:
        assert pl.read_csv(file).equals(table)
    lazy = pl.scan_pyarrow_dataset(dataset.dataset("/a/cities.parquet", filesystem=fs))
    assert lazy.filter(pl.col("people") > 300).select("city").collect()["city"].to_list() == [
        "Oslo",
        "Nice",
    ]


def test_duckdb(fs: RemoteStoreFileSystem) -> None:
    """Queries over files and patterns, and their results as files."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        connection.execute(
            "copy (select range as n, range % 3 as rest from range(1000)) "
            "to 'remote-store:///a/n.parquet' (format parquet)"
        )
        connection.execute("copy (select 7 as n) to 'remote-store:///b/n.csv'")
        assert connection.sql(
            "select rest, sum(n) from 'remote-store:///a/*.parquet' group by rest order by rest"
        ).fetchall() == [(0, 166833), (1, 166167), (2, 166500)]
        assert connection.sql("select * from 'remote-store:///b/n.csv'").fetchall() == [(7,)]
        with pytest.raises(duckdb.IOException):
            connection.sql("select * from 'remote-store:///none.parquet'")
    assert fs.find("/") == ["/a/n.parquet", "/b/n.csv"]


def test_zarr(options: Options) -> None:
    """An array of version 3 in chunks and in shards, grown and read in parts."""
    import numpy as np
    import zarr

    where = "remote-store:///arrays/one.zarr"
    values = np.arange(10_000, dtype="int32").reshape(100, 100)
    array = zarr.create_array(
        where,
        shape=values.shape,
        chunks=(10, 10),
        shards=(50, 50),
        dtype="int32",
        storage_options=options,
    )
    array[:] = values
    group = zarr.open_group("remote-store:///arrays/two.zarr", mode="w", storage_options=options)
    group.create_array("inner", data=values[:10])
    group.attrs["who"] = "me"

    found = zarr.open_array(where, mode="r", storage_options=options)
    assert np.array_equal(found[17:23, 40:60], values[17:23, 40:60])
    assert np.array_equal(found[:], values)
    again = zarr.open_group("remote-store:///arrays/two.zarr", mode="r", storage_options=options)
    assert again.attrs["who"] == "me"
    assert np.array_equal(again["inner"][:], values[:10])
    with pytest.raises(FileNotFoundError):
        zarr.open_array("remote-store:///arrays/none.zarr", mode="r", storage_options=options)


@pytest.mark.parametrize(
    ("options", "scheduler"),
    [("local", "threads"), ("azurite", "processes")],
    indirect=["options"],
)
def test_dask(options: Options, fs: RemoteStoreFileSystem, scheduler: str) -> None:
    """A table in parts, written and read by threads and by other processes."""
    import dask
    import dask.dataframe as dd
    import pandas as pd

    table = pd.DataFrame({"n": range(1000), "rest": [n % 7 for n in range(1000)]})
    with dask.config.set(scheduler=scheduler, num_workers=2):
        parts = dd.from_pandas(table, npartitions=4)
        parts.to_parquet("remote-store:///parts", storage_options=options)
        found = dd.read_parquet("remote-store:///parts", storage_options=options)
        assert int(found["n"].sum().compute()) == 499_500
        parts.to_csv("remote-store:///csv/part-*.csv", index=False, storage_options=options)
        lines = dd.read_csv("remote-store:///csv/*.csv", storage_options=options)
        assert len(lines) == 1000
    assert len(fs.glob("/parts/*.parquet")) == 4


def test_dask_tokens(options: Options) -> None:
    """The same file of two stores is two inputs."""
    from dask.base import tokenize

    from remote_store.aio import AsyncStore
    from remote_store_memory import AsyncMemoryBackend

    one, other = (RemoteStoreFileSystem(store=AsyncStore(AsyncMemoryBackend())) for _ in range(2))
    assert tokenize(one) != tokenize(other)
    assert tokenize(RemoteStoreFileSystem(**options)) == tokenize(RemoteStoreFileSystem(**options))
