"""How rows of a query are printed."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

from ops.cli.formats import write_csv, write_json, write_table
from ops.query import Result, statements


def result(columns: tuple[str, ...], *rows: tuple[object, ...]) -> Result:
    return Result(columns, iter(rows))


def test_a_table_aligns_text_left_and_numbers_right() -> None:
    out = io.StringIO()

    write_table(result(("speaker", "p_angry"), ("anna", 0.5), ("speaker 2", 0.125)), out)

    assert out.getvalue() == (
        " speaker   | p_angry\n-----------+---------\n anna      |     0.5\n speaker 2 |   0.125\n(2 rows)\n"
    )


def test_wide_characters_take_two_columns() -> None:
    out = io.StringIO()

    write_table(result(("text", "n"), ("日本", 1), ("abcd", 2)), out)

    lines = out.getvalue().splitlines()
    assert lines[2] == " 日本 | 1"
    assert lines[3] == " abcd | 2"


def test_a_row_that_is_wider_than_the_terminal_becomes_a_block_of_lines() -> None:
    out = io.StringIO()

    write_table(result(("recording", "text"), ("a.wav", "x" * 60)), out, width=40)

    assert out.getvalue() == f"-[ 1 ]-\nrecording | a.wav\ntext      | {'x' * 60}\n(1 row)\n"


def test_text_cannot_steer_the_terminal_or_break_a_line() -> None:
    out = io.StringIO()

    write_table(result(("text",), ("\x1b[2Jgone\nnext",)), out)

    assert "\x1b" not in out.getvalue()
    assert "\\x1b[2Jgone\\nnext" in out.getvalue()


def test_a_table_of_nothing_says_so() -> None:
    out = io.StringIO()

    assert write_table(result(("a",)), out) == 0
    assert out.getvalue().endswith("(0 rows)\n")


def test_csv_survives_quotes_line_breaks_and_nulls() -> None:
    out = io.StringIO()

    write_csv(result(("text", "n", "words"), ('he said "no",\nthen left', None, [["no", 0.5]])), out)

    assert list(csv.reader(io.StringIO(out.getvalue()))) == [
        ["text", "n", "words"],
        ['he said "no",\nthen left', "", '[["no", 0.5]]'],
    ]


def test_json_is_one_array_with_numbers_as_numbers_and_no_nan() -> None:
    out = io.StringIO()
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    write_json(result(("n", "d", "p", "at"), (3, Decimal("2"), float("nan"), at)), out)

    assert json.loads(out.getvalue()) == [{"n": 3, "d": 2, "p": None, "at": "2026-01-02T03:04:05+00:00"}]


def test_json_of_no_rows_is_an_empty_array() -> None:
    out = io.StringIO()

    write_json(result(("a",)), out)

    assert json.loads(out.getvalue()) == []


def test_columns_of_the_same_name_all_appear_in_json() -> None:
    out = io.StringIO()

    write_json(result(("id", "id"), (1, 2)), out)

    assert json.loads(out.getvalue()) == [{"id": 1, "id_2": 2}]


def test_a_semicolon_in_quotes_or_comments_ends_no_statement() -> None:
    one = "select ';', \";\", $x$;$x$, e'\\';' /* ; */ -- ;\n from t;"

    assert len(statements(one)) == 1
    assert len(statements("select 1; select 2")) == 2
    assert statements(" ; -- nothing\n") == []


def test_comments_before_a_statement_do_not_hide_its_first_word() -> None:
    assert statements("-- all of it\n/* really */ select 1")[0].startswith("select")
