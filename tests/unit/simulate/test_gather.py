import numpy as np
import pyarrow as pa
import pytest

from bumpflow.simulate.gather import merge_records, weigh_events


def record(n, sigma, weights, *, shared=False, first=0):
    weights = np.asarray(weights, dtype=float)
    return {
        "n_generated": n,
        "n_showered": n // 2,
        "n_selected": len(weights),
        "weight_generated": float(n),
        "weight_selected": weights.sum(),
        "weight_squared_selected": np.square(weights).sum(),
        "crosssection_pb": sigma,
        "crosssection_error_pb": 0.1,
        "crosssection_shared": shared,
        "cutflow": {"showered": n // 2, "selected": len(weights)},
        "blocks": [first, first + 2],
    }


def test_crosssection_is_the_mean_over_generated_events():
    total = merge_records([record(100, 1.0, [1] * 10), record(300, 2.0, [1] * 50, first=2)])
    assert total["crosssection_fb"] == pytest.approx(1750)
    assert total["crosssection_error_fb"] == pytest.approx(np.hypot(25, 75))
    assert total["efficiency"] == pytest.approx(0.15)
    assert total["selected_fb"] == pytest.approx(1750 * 0.15)
    assert total["cutflow"] == {"showered": 200, "selected": 60}
    assert total["blocks"] == [0, 4]


def test_an_integral_that_chunks_share_gets_no_more_precise():
    records = [record(100, 1.0, [1], shared=True), record(100, 1.0, [1], shared=True)]
    assert merge_records(records)["crosssection_error_fb"] == pytest.approx(100)


def test_weights_add_up_to_the_selected_crosssection():
    total = merge_records([record(100, 1.0, [0.5, 2.0]), record(100, 1.0, [1.0])])
    events = pa.table({"weight": [0.5, 2.0, 1.0], "m_gg": [1.0, 2.0, 3.0]})
    weighed = weigh_events(events, total)
    assert weighed.column_names == ["m_gg", "weight_fb", "crosssection_fb"]
    assert np.sum(weighed["weight_fb"]) == pytest.approx(total["selected_fb"])
    assert total["efficiency_error"] == pytest.approx(np.sqrt(0.25 + 4 + 1) / 200)
    np.testing.assert_allclose(weighed["crosssection_fb"], 1000)
