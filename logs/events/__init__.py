"""Connections at rest: batches become Parquet, DuckDB answers."""
