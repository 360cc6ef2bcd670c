from remote_store.aio._backend import AsyncBackend
from remote_store.aio._content import AsyncWritableContent, ContentSource
from remote_store.aio._store import AsyncStore
