"""The life of a file through OpenDAL, by its services for both endpoints."""

import sys

import opendal  # type: ignore[import-not-found]

blob_url, dfs_url, account, key, container = sys.argv[1:]
common = {"account_name": account, "account_key": key, "root": "/dal"}
lake = opendal.Operator("azdls", filesystem=container, endpoint=dfs_url, **common)
blob = opendal.Operator("azblob", container=container, endpoint=blob_url, **common)

lake.create_dir("dir/")
lake.write("dir/one.txt", b"0123456789")
assert lake.read("dir/one.txt") == b"0123456789"
assert lake.stat("dir/one.txt").content_length == 10
assert lake.stat("dir/").mode.is_dir()
with lake.open("dir/one.txt", "rb") as file:
    file.seek(2)
    assert file.read(3) == b"234"
with lake.open("dir/two.txt", "wb") as file:
    for _ in range(3):
        file.write(b"x" * 1000)
assert lake.stat("dir/two.txt").content_length == 3000
lake.write("dir/empty", b"")
lake.write("dir/grown", b"123", append=True)
lake.write("dir/grown", b"456", append=True)
assert lake.read("dir/grown") == b"123456"
lake.delete("dir/grown")
lake.delete("dir/empty")
lake.rename("dir/one.txt", "dir/renamed.txt")
names = sorted(entry.path for entry in lake.list("dir/") if entry.path != "dir/")
assert names == ["dir/renamed.txt", "dir/two.txt"], names
assert not lake.exists("dir/one.txt")
lake.delete("dir/two.txt")

blob.write("b/one.txt", b"0123456789", content_type="text/plain", cache_control="no-store")
assert blob.read("b/one.txt") == b"0123456789"
assert blob.stat("b/one.txt").content_type == "text/plain"
with blob.open("b/one.txt", "rb") as file:
    file.seek(2)
    assert file.read(3) == b"234"
blob.copy("b/one.txt", "b/copy.txt")
names = sorted(entry.path for entry in blob.list("b/") if entry.path != "b/")
assert names == ["b/copy.txt", "b/one.txt"], names
blob.delete("b/copy.txt")
assert not blob.exists("b/copy.txt")
blob.remove_all("b/")
lake.remove_all("dir/")
assert not lake.exists("dir/renamed.txt")
