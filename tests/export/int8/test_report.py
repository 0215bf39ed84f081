"""What a reduced graph was measured to do, as people and programs read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from export.int8.report import JSON, TEXT, Report, describe, write_report


def test_the_table_states_loss_with_its_error_and_metres_where_the_set_has_places(report: Report) -> None:
    lines = describe(report)
    assert lines[0] == f"edge: ranges by max on 192 pictures of set {'c' * 12}"
    assert "fp32     13.4                     -         -" in lines
    assert "int8      3.9               0.99500   0.97000" in lines
    at = lines.index(f"flight over area.mbtiles: 1000 queries in 500 rows, set {'a' * 12}")
    assert lines[at + 1].startswith("fp32    80.0%") and lines[at + 1].endswith("90% within 20.0 m")
    assert lines[at + 2] == ("int8    79.5%  loss +0.50 +- 0.20 points  90% within 21.0 m, loss +5.0% +- 1.0%")
    plain = lines.index(f"changed pictures: 512 queries in 64 rows, set {'b' * 12}")
    assert lines[plain + 1 : plain + 3] == ["fp32    99.0%", "int8    99.0%  loss +0.00 +- 0.00 points"]


def test_the_noisiest_layers_come_first_and_no_more_than_five(report: Report) -> None:
    lines = describe(report)
    at = lines.index("most noise (signal to noise, dB), of 7 layers:")
    assert [float(line.split()[0]) for line in lines[at + 1 :]] == [34, 35, 36, 37, 38]
    assert "left float: backbone.3/Conv_3" in lines
    assert "  backbone.3/Conv_3: quantised alone it costs 0.01230" in lines


def test_nothing_left_float_is_said_so(report: Report) -> None:
    assert "left float: nothing" in describe(replace(report, kept_float=[], ranking=[]))


def test_programs_read_the_same_figures_from_json(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "report")
    read = json.loads((tmp_path / "report" / JSON).read_text())
    assert (read["format"], read["ranges"], read["calibration"]) == (1, "max", {"pictures": 192, "sha256": "c" * 64})
    assert read["graphs"]["int8"]["sets"][1]["p90_m"] == 21.0
    assert read["graphs"]["int8"]["required"]["cosine_mean"] == 0.99
    assert read["sensitivity"][0] == {"node": "backbone.3/Conv_3", "lost": 0.0123}
    assert read["layers"][3] == {"node": "backbone.3/Conv_3", "op_type": "Conv", "quantised": False, "sqnr_db": 37.0}
    assert (tmp_path / "report" / TEXT).read_text() == "\n".join(describe(report)) + "\n"
