"""The same by the workers of a Dask cluster, over stores that they open."""
