# Prints the cells of a workbook's first sheet as JSON, as openpyxl reads them.
import datetime
import json
import re
import sys
import warnings

import openpyxl

# A workbook with anything that openpyxl must guess or repair fails.
warnings.simplefilter("error")
workbook = openpyxl.load_workbook(sys.argv[1])
sheet = workbook.active


def unescaped(text):
    # The application's part: openpyxl leaves escapes of characters that XML forbids.
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda it: chr(int(it.group(1), 16)), text)


def cell(it):
    value = it.value
    if value is None:
        return None
    if it.data_type == "f":
        return {"formula": value}
    if isinstance(value, bool):
        return {"flag": value}
    if isinstance(value, (int, float)):
        return {"number": value}
    if isinstance(value, datetime.datetime):
        return {"time": value.isoformat()}
    return {"text": unescaped(value)}


print(
    json.dumps(
        {
            "sheets": workbook.sheetnames,
            "frozen": sheet.freeze_panes,
            "description": workbook.properties.description,
            "rows": [[cell(it) for it in row] for row in sheet.iter_rows()],
        }
    )
)
