"""The life of a file through adlfs, on a connection string and a filesystem."""

import sys

import adlfs  # type: ignore[import-not-found]

connection_string, container = sys.argv[1:]
fs = adlfs.AzureBlobFileSystem(connection_string=connection_string)
root = f"{container}/adlfs"

fs.mkdir("made-by-adlfs")
assert "made-by-adlfs" in [name.strip("/") for name in fs.ls("")]
fs.rmdir("made-by-adlfs")

fs.pipe(f"{root}/a/one.txt", b"0123456789")
assert fs.cat(f"{root}/a/one.txt") == b"0123456789"
assert fs.cat_file(f"{root}/a/one.txt", start=2, end=5) == b"234"
assert fs.info(f"{root}/a/one.txt")["size"] == 10
with fs.open(f"{root}/a/two.txt", "wb", block_size=1 << 16, metadata={"k": "v"}) as file:
    for _ in range(5):
        file.write(b"x" * (1 << 16))
assert fs.size(f"{root}/a/two.txt") == 5 << 16
fs.touch(f"{root}/empty")
fs.invalidate_cache()
assert sorted(fs.ls(root, detail=False)) == [f"{root}/a", f"{root}/empty"]
assert sorted(fs.find(root)) == [f"{root}/a/one.txt", f"{root}/a/two.txt", f"{root}/empty"]
assert fs.exists(f"{root}/a")
assert fs.isdir(f"{root}/a")
assert fs.isfile(f"{root}/empty")
assert not fs.exists(f"{root}/missing")
fs.mv(f"{root}/a/one.txt", f"{root}/b/moved.txt")
fs.cp_file(f"{root}/b/moved.txt", f"{root}/b/copy.txt")
assert fs.cat(f"{root}/b/copy.txt") == b"0123456789"
fs.rm_file(f"{root}/b/copy.txt")
fs.rm(root, recursive=True)
fs.invalidate_cache()
assert not fs.exists(f"{root}/a/two.txt")
