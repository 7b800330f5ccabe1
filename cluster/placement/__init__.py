"""Where a cluster's processes run: the only package that imports Ray.

For callers: `local_cluster.LocalCluster`, `resident_control.up`, `down` and `status`,
`resident_file.read_resident`, and `jobs.submit`; of these only `jobs` imports Ray.
"""
