"""Where a cluster's processes run: the only package that imports Ray.

For callers: `local.local_cluster.LocalCluster`, `resident.control.up`, `down` and `status`,
`resident.file.read_resident`, and `jobs.submit.submit`; of these only `jobs` imports Ray.
"""
