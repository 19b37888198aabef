"""Configurations: the table of choices, TOML files and texts, and what is wrong with them."""
import json
import pickle
import tomllib

import pytest
from hypothesis import given

from rvhyp.isa.choices import CHOICES, DEFAULT_WORD, WORD, Subset
from rvhyp.isa.configuration import PROMISES, Configuration, from_text, from_toml, json_schema
from tests.engine.programs import configurations
from tests.engine.support import examples
from tools import configuration


def test_fields_of_the_word_do_not_overlap():
    used = 0
    for choice in CHOICES.values():
        if choice.field:
            assert not used & choice.field.mask
            used |= choice.field.mask
            values = choice.values
            assert all(choice.field.get(choice.field.put(0, choice.encode(value))) == choice.encode(value) for value in values)
            assert len({choice.encode(value) for value in values}) == len(values)
    assert used < 1 << WORD


def test_the_table_says_what_everything_is():
    for name, choice in CHOICES.items():
        assert name == choice.name and choice.default in choice.values
        assert choice.meaning.endswith(".") and ", " in choice.section and choice.legal
    assert all(name in CHOICES and set(good) < set(CHOICES[name].values) for name, good in PROMISES.values())


def test_default():
    assert Configuration().word == DEFAULT_WORD and Configuration().changes == {} and len(Configuration()) == len(CHOICES)


@examples(60)
@given(configurations)
def test_a_file_says_the_same_as_what_it_was_made_from(chosen):
    wanted = Configuration(chosen)
    assert Configuration(from_toml(wanted.to_toml())) == wanted
    assert Configuration(tomllib.loads(wanted.to_toml())) == wanted
    assert Configuration(wanted.changes) == wanted and Configuration(dict(wanted)) == wanted
    assert pickle.loads(pickle.dumps(wanted)) == wanted and hash(Configuration(dict(wanted))) == hash(wanted)
    texts = [f"{name}={CHOICES[name].text(value)}".replace('"', "") for name, value in wanted.items()]
    assert dict(map(from_text, texts)) == dict(wanted)


@examples(60)
@given(configurations, configurations)
def test_words_tell_configurations_apart(one, other):
    one, other = Configuration(one), Configuration(other)
    assert (one == other) == ((one.word, one["medeleg"]) == (other.word, other["medeleg"]))


def test_a_file_explains_itself():
    """Every choice has its meaning, its section and its values above it."""
    blocks = Configuration({"geilen": 7}).to_toml().split("\n\n")[1:]
    assert len(blocks) == len(CHOICES)
    for block, choice in zip(blocks, CHOICES.values(), strict=True):
        *comments, setting = block.strip().splitlines()
        text = " ".join(comment.removeprefix("# ") for comment in comments)
        assert all(comment.startswith("# ") and len(comment) <= 110 for comment in comments)
        assert " ".join(choice.meaning.split()) in " ".join(text.split()) and choice.section in text and choice.legal in text
        assert setting.partition(" = ")[0] == choice.name
    assert "# 0 to 63; by default 0\ngeilen = 7" in "\n\n".join(blocks)


def test_json_schema():
    schema = json.loads(json.dumps(json_schema()))
    assert schema["additionalProperties"] is False and set(schema["properties"]) == set(CHOICES)
    for name, each in schema["properties"].items():
        values = CHOICES[name].values
        assert each["default"] == CHOICES[name].default and each["description"].startswith(CHOICES[name].meaning)
        if isinstance(values, tuple):
            assert each["enum"] == list(values) and each["type"] == ("string" if isinstance(values[0], str) else "integer")
        else:
            assert each["minimum"] == 0 and each["maximum"] == (values.bits if isinstance(values, Subset) else values[-1])


@pytest.mark.parametrize("values, message", [
    ({"tinst": "zeros"}, "tinst must be \"transformed\" or \"zero\", not 'zeros'"), ({"tinst": 0}, "tinst must be"),
    ({"geilen": 64}, "geilen must be 0 to 63, not 64"), ({"geilen": -1}, "0 to 63"), ({"geilen": True}, "not True"),
    ({"geilen": "5"}, "not '5'"), ({"geilen": 5.0}, "not 5.0"), ({"pmp-entries": 17}, "16, 0 or 64"),
    ({"medeleg": 1 << 11}, "bits of 0xfcb7fe"), ({"medeleg": -1}, "bits of"), ({"tinst": ["zero"]}, "tinst must be"),
    ({"tinst": {}}, "tinst must be"), ({"tints": "zero"}, "no choice 'tints'; did you mean tinst"),
    ({"asid_bits": 3}, "did you mean asid-bits"), ({"xyzzy": 3}, "no choice 'xyzzy'; `rvhyp isa --config` lists them")])
def test_what_is_no_configuration(values, message):
    with pytest.raises(ValueError, match=f"^.*{message.replace('`', '.')}"):
        Configuration(values)


@pytest.mark.parametrize("text, message", [
    ("geilen", "'geilen' is not name=value"), ("geilen=", "0 to 63, not ''"), ("geilen=five", "not 'five'"),
    ("=5", "no choice ''"), ("geilen=5=6", "not '5=6'"), ("tinst=Zero", "not 'Zero'"), ("misaligned=", "not ''"),
    ("geilen=1e1", "not '1e1'")])
def test_what_is_no_setting(text, message):
    with pytest.raises(ValueError, match=message):
        from_text(text)


def test_numbers_in_texts():
    assert from_text("geilen=0x1f") == ("geilen", 31) and from_text(" asid-bits = 0b11 ") == ("asid-bits", 3)
    assert from_text("medeleg=0xb100") == ("medeleg", 0xB100)


@pytest.mark.parametrize("text, message", [
    ("geilen = ", "is not TOML"), ("[geilen]\n", "geilen must be"), ("geilen = 5\ngeilen = 6\n", "is not TOML"),
    ("[choices]\ngeilen = 5\n", "no choice 'choices'"), ("geilen = 1970-01-01", "geilen must be"), ("\0", "is not TOML")])
def test_what_is_no_file(text, message):
    with pytest.raises(ValueError, match=message):
        from_toml(text)


def test_the_page_is_current():
    assert configuration.PAGE.read_text() == configuration.page()


@pytest.mark.parametrize("text", ["geilen = " + "[" * 5000, "geilen = " + "9" * 10_000])
def test_a_configuration_nested_too_deeply_or_with_an_endless_number_is_no_toml(text):
    with pytest.raises(ValueError, match="is not TOML"):
        from_toml(text)
