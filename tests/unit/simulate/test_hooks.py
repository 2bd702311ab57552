import random

import pytest

from bumpflow.simulate.hooks import HookState, build_hook


def test_state_counts_blocks_apart_and_rejection_over_all():
    state = HookState(n_generated=4, n_block=2, n_tried=10, n_kept=2)
    assert state.counts == (4, 2)
    assert state.rejection == 5
    state.start(3)
    assert state.counts == (0, 0)
    assert state.n_tried == 10
    assert state.rng.random() == random.Random(3).random()


def test_hook_vetoes_process_level():
    hook = build_hook(polarise=True, lepton_pt_gev=17.0)
    assert hook.canVetoProcessLevel()
    with pytest.raises(ZeroDivisionError):
        _ = hook.state.rejection  # nothing was kept yet
