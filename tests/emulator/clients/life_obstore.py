"""The life of a file through obstore, which is the crate object_store of Rust."""

import sys

import obstore  # type: ignore[import-not-found]
from obstore.store import AzureStore  # type: ignore[import-not-found]

endpoint, account, key, container = sys.argv[1:]
store = AzureStore(
    container,
    account_name=account,
    account_key=key,
    endpoint=endpoint,
    client_options={"allow_http": True},
    retry_config={"max_retries": 0},
)

stored = {"Content-Type": "text/plain", "Cache-Control": "no-store", "k": "v"}
obstore.put(store, "rs/a/one.txt", b"0123456789", attributes=stored)
assert obstore.get(store, "rs/a/one.txt").attributes == stored
etag = obstore.head(store, "rs/a/one.txt")["e_tag"]
obstore.put(store, "rs/a/one.txt", b"0123456789", mode={"e_tag": etag})
assert bytes(obstore.get(store, "rs/a/one.txt").bytes()) == b"0123456789"
assert bytes(obstore.get_range(store, "rs/a/one.txt", start=2, end=5)) == b"234"
assert [bytes(b) for b in obstore.get_ranges(store, "rs/a/one.txt", starts=[0, 8], ends=[1, 10])]
assert obstore.head(store, "rs/a/one.txt")["size"] == 10
try:
    obstore.put(store, "rs/a/one.txt", b"other", mode="create")
except obstore.exceptions.AlreadyExistsError:
    pass
else:
    raise AssertionError("an exclusive put replaced a file")
obstore.put(store, "rs/big", b"x" * (12 << 20), use_multipart=True, chunk_size=5 << 20)
assert obstore.head(store, "rs/big")["size"] == 12 << 20
obstore.copy(store, "rs/a/one.txt", "rs/b/copy.txt", overwrite=False)
obstore.rename(store, "rs/b/copy.txt", "rs/b/moved.txt")
names = sorted(meta["path"] for batch in obstore.list(store, "rs") for meta in batch)
assert [name for name in names if "." in name] == ["rs/a/one.txt", "rs/b/moved.txt"], names
level = obstore.list_with_delimiter(store, "rs")
assert sorted(level["common_prefixes"]) == ["rs/a", "rs/b"], level
obstore.delete(store, "rs/big")
obstore.delete(store, ["rs/a/one.txt", "rs/b/moved.txt"])
try:
    obstore.head(store, "rs/a/one.txt")
except FileNotFoundError:
    pass
else:
    raise AssertionError("a deleted file is there")
