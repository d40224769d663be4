"""Reading one file: what Core's parser takes and refuses, and what people are told."""

from __future__ import annotations

import pytest

from deployments.core.render import render
from deployments.core.text import MAX_DEPTH, MAX_NUMBER, Real, SettingsError, parse


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n\t",
        b"[]",
        b'"x"',
        b"1",
        b"{",
        b'{"a":}',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":01}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{/* x */"a":1}',
        b'{"a":"\n"}',
        b'{"a":"\\x"}',
        b'{"a" 1}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf",
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":1.}',
        b'{"a":tru}',
        b"nullx",
        b'{"a":"b',
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(SettingsError) as error:
        parse(data, "settings.json")
    assert str(error.value).startswith("settings.json")
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "document"),
    [
        (b"{}", {}),
        (b"\xef\xbb\xbf{}", {}),
        ("\ufeff{}", {}),
        (b'{"a":1} and then some [[[', {"a": 1}),
        (b"null", None),
        ('{"é":"\\u00e9"}'.encode("utf-16"), {"é": "é"}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":"\\ud800"}', {"a": "\ud800"}),
        (b'{"a":1.0e+2}', {"a": 100.0}),
    ],
)
def test_read(data: bytes | str, document: object) -> None:
    assert parse(data, "x") == document


def test_place_of_an_error() -> None:
    with pytest.raises(SettingsError) as error:
        parse('{\n "models": {\n  "gpt-4o": {"userRoles": ["a", "b",]}}}', "s.json")
    assert (error.value.line, error.value.path) == (3, "models.gpt-4o.userRoles[2]")
    assert error.value.place.startswith("s.json, line 3, column ")


def test_an_error_among_the_keys_names_no_key() -> None:
    with pytest.raises(SettingsError) as error:
        parse('{"keys": {"sk-secret": {"project": "p",}}}', "s.json")
    assert "sk-secret" not in str(error.value)
    assert error.value.path.startswith('keys["?"]')


@pytest.mark.parametrize("text", ["1.10", "1e3", "-0", "1E+2", "0.1e-7", "123456789012345678901234567890", "-5"])
def test_numbers_are_kept(text: str) -> None:
    assert render(parse(f'{{"x": {text}}}', "x")) == f'{{\n  "x": {text}\n}}\n'


def test_real_is_a_float_with_its_text() -> None:
    import copy
    import pickle

    real = Real("1.10")
    assert real == 1.1
    assert copy.deepcopy(real).text == pickle.loads(pickle.dumps(real)).text == "1.10"  # noqa: S301 - our own


@pytest.mark.parametrize("digits", [MAX_NUMBER + 1, 5000, 200_000])
def test_a_number_without_end_is_refused_in_words(digits: int) -> None:
    for text in ("1" * digits, "1." + "1" * digits):
        with pytest.raises(SettingsError, match="Core reads at most"):
            parse(f'{{"a": {text}}}', "x")
    assert parse('{"a": ' + "1" * MAX_NUMBER + "}", "x")


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":[', '[{"a\\"[[[[":'])
@pytest.mark.parametrize("levels", [1_001, 1_000_000])
def test_absurd_depth_is_refused_in_words(opening: str, levels: int) -> None:
    with pytest.raises(SettingsError, match="nested more than"):
        parse('{"a":' + opening * levels, "x")


def test_depth_up_to_the_limit_is_read() -> None:
    text = '{"a":' * (MAX_DEPTH - 1) + "{}" + "}" * (MAX_DEPTH - 1)
    assert parse(render(parse(text, "x")), "x") == parse(text, "x")


def test_brackets_in_texts_have_no_depth() -> None:
    text = '{"a": "' + "[" * 5000 + '", "b\\"[": ["' + '{\\\\"]}'
    assert parse(text, "x")['b"['] == ["{\\"]


def test_a_lone_surrogate_survives() -> None:
    document = {"\udfff": "é\ud800\\"}
    text = render(document)
    text.encode()
    assert parse(text, "x") == document


def test_render_refuses_what_is_no_json() -> None:
    for value in ({1: 2}, {"a": {1}}, {"a": object()}):
        with pytest.raises(TypeError):
            render(value)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="JSON"):
        render({"a": float("nan")})
