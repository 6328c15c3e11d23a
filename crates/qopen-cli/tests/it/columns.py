# Prints a list in Parquet as JSON, as pyarrow reads it.
import json
import sys

import pyarrow.parquet as parquet

file = parquet.ParquetFile(sys.argv[1])
metadata = file.metadata
table = file.read()
names = ["robot_id", "account_id"]
report = {
    "types": {it.name: str(it.type) for it in table.schema},
    "nullable": [it.name for it in table.schema if it.nullable],
    "groups": [metadata.row_group(it).num_rows for it in range(metadata.num_row_groups)],
    "compression": sorted(
        {
            metadata.row_group(group).column(column).compression
            for group in range(metadata.num_row_groups)
            for column in range(metadata.num_columns)
        }
    ),
    "created_by": metadata.created_by,
    "lists": json.loads(metadata.metadata[b"qopen.lists"]),
    "rows": table.num_rows,
}
# The list's order, in which each robot's customers are sorted by id.
keys = list(zip(table["robot_id"].to_pylist(), table["account_id"].to_pylist()))
report["sorted"] = keys == sorted(keys) and len(set(keys)) == len(keys)
if metadata.num_row_groups:
    # Statistics tell readers which row groups they need.
    statistics = [
        metadata.row_group(it).column(1).statistics for it in range(metadata.num_row_groups)
    ]
    report["ranges"] = [[it.min, it.max] for it in statistics]
if table.num_rows < 1000:
    report["cells"] = json.loads(json.dumps(table.to_pylist(), default=lambda it: it.isoformat()))
    # pandas reads the same rows.
    frame = table.to_pandas() if "pandas" in sys.modules or __import__("importlib.util").util.find_spec("pandas") else None
    report["pandas"] = None if frame is None else len(frame)
print(json.dumps(report))
