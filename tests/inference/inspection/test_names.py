"""The names of parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.names import all_heads, parse_parts
from mgpt_tui.model.config import GPTConfig

SHAPE = GPTConfig(n_layer=4, n_head=3, n_embd=24, block_size=16, vocab_size=257)


@given(
    names=st.lists(
        st.sampled_from(["L2H3", "A2", "M4", "L2", "N4.77", "L4H1", "N1.1", "N4.96"]), min_size=1
    ),
    between=st.sampled_from([",", ", ", " ", "\n"]),
    spell=st.sampled_from([str.upper, str.lower]),
)
def test_names_are_read_and_told_alike(names, between, spell):
    found = parse_parts(spell(between.join(names)), SHAPE)
    assert [str(part) for part in found] == list(dict.fromkeys(names))


def test_where_a_part_reads_the_stream():
    stations = {str(part): part.station for part in parse_parts("L1 A1 L1H2 M1 N1.3 L3", SHAPE)}
    assert stations == {"L1": 0, "A1": 0, "L1H2": 0, "M1": 1, "N1.3": 1, "L3": 4}


@pytest.mark.parametrize(
    "name", ["", "H3", "L", "L2H", "2", "N4", "N4,77", "L2H3x", "Z1", "L²", ","]
)
def test_what_is_no_name_is_told_with_what_would_be(name):
    with pytest.raises(UserError, match="There is no part") as caught:
        parse_parts(name, SHAPE)
    assert "L2H3" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "said", "remedy"),
    [
        ("L5", "no layer 5", "1 to 4"),
        ("L0", "no layer 0", "1 to 4"),
        ("A5", "no layer 5", "1 to 4"),
        ("M9", "no layer 9", "1 to 4"),
        ("L2H4", "no head 4", "1 to 3"),
        ("L2H0", "no head 0", "1 to 3"),
        ("N4.97", "no neuron 97", "1 to 96"),
        ("N4.0", "no neuron 0", "1 to 96"),
        ("L1,L2H9", "no head 9", "1 to 3"),
    ],
)
def test_a_part_that_the_model_lacks_is_told_with_how_many_it_has(name, said, remedy):
    with pytest.raises(UserError, match=said) as caught:
        parse_parts(name, SHAPE)
    assert remedy in caught.value.remedy


def test_all_heads():
    assert [str(head) for head in all_heads(SHAPE)][:4] == ["L1H1", "L1H2", "L1H3", "L2H1"]
    assert len(all_heads(SHAPE)) == 12
