"""Tables of every kind: columns found, labels kept as written, and errors that name the place."""

from __future__ import annotations

import gzip
import json

import pyarrow
import pytest
from pyarrow import parquet

from textlrp.errors import DataError, InputError, UnknownNameError
from textlrp.text.sources import load_reviews

CSV = 'text,label\ngood film,pos\n"bad, very bad",neg\n'
TEXTS = ["good film", "bad, very bad"]


def _parquet(path, columns, features=None):
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(columns)
    if features is not None:
        table = table.cast(features.arrow_schema)
    parquet.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.CSV", CSV),
        ("a.csv.gz", CSV),
        ("a.csv", "\ufeff" + CSV),
        ("a.csv", CSV.replace("\n", "\r\n")),
        ("a.csv", "text;label\ngood film;pos\nbad, very bad;neg\n"),
        ("a.tsv", "text\tlabel\ngood film\tpos\nbad, very bad\tneg\n"),
        ("a.tsv", '"text"\t"label"\n"good film"\t"pos"\n"bad, very bad"\t"neg"\n'),
        ("a.jsonl", '{"text": "good film", "label": "pos"}\n\n{"text": "bad, very bad", "label": "neg"}'),
        ("a.ndjson", '{"text": "good film", "label": "pos"}\n{"text": "bad, very bad", "label": "neg"}\n'),
        ("a.jsonl.gz", '{"text": "good film", "label": "pos"}\n{"text": "bad, very bad", "label": "neg"}\n'),
        ("a.json", '{"text": "good film", "label": "pos"}\n{"text": "bad, very bad", "label": "neg"}\n'),
        ("a.json", '[{"text": "good film", "label": "pos"},\n {"text": "bad, very bad", "label": "neg"}]'),
        ("a.json", '{"data": [{"text": "good film", "label": "pos"}, {"text": "bad, very bad", "label": "neg"}]}'),
        ("a.json", '{"text": ["good film", "bad, very bad"], "label": ["pos", "neg"]}'),
    ],
)
def test_every_form_of_a_table_gives_the_same(file, name, content):
    data = load_reviews(file(name, content))
    assert (data["text"][:], data["label"][:], data.features["label"].names) == (TEXTS, [1, 0], ["neg", "pos"])


def test_parquet_is_read(tmp_path):
    data = load_reviews(_parquet(tmp_path / "a.parquet", {"text": TEXTS, "label": ["pos", "neg"]}))
    assert (data["text"][:], data["label"][:]) == (TEXTS, [1, 0])


def test_parquet_keeps_the_class_names_that_hugging_face_stored(tmp_path):
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    path = _parquet(tmp_path / "a.parquet", {"text": TEXTS, "label": [1, 0]}, features)
    assert load_reviews(path).features["label"].names == ["bad", "good"]


def test_parquet_with_categories_and_binary_texts_is_read(tmp_path):
    import pyarrow

    columns = {"text": pyarrow.array([b"na\xc3\xafve", b"b"]), "label": pyarrow.array(["x", "y"]).dictionary_encode()}
    assert load_reviews(_parquet(tmp_path / "a.parquet", columns))["text"][:] == ["naïve", "b"]


def test_line_breaks_and_quotes_within_a_text_are_kept(file):
    data = load_reviews(file("a.csv", 'text,label\n"one\ntwo ""three""\r\n",a\nfour,b\n'))
    assert data["text"][0] == 'one\ntwo "three"\r\n'


def test_a_very_long_field_is_read(file):
    assert len(load_reviews(file("a.csv", f"text,label\n{'word ' * 500_000},a\nb,b\n"))["text"][0]) == 2_500_000


@pytest.mark.parametrize("text", ["NA", "null", "None", "nan", "1", "1.0", "True", "2024-01-01", " x ", ""])
def test_a_text_is_never_taken_for_something_else(file, text):
    assert load_reviews(file("a.csv", f"text,label\n{text},a\nb,b\n"))["text"][0] == text


def test_a_tsv_with_ordinary_quotes_loses_no_line(file):
    content = 'sentence\tlabel\n"a start without end\t1\nfine\t0\nand here " another\t1\n" more\t0\n'
    assert load_reviews(file("a.tsv", content))["text"][:] == ['"a start without end', "fine", 'and here " another', '" more']


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([0, 1], ["0", "1"]),
        ([10, 9], ["9", "10"]),
        ([-1, 1], ["-1", "1"]),
        ([True, False], ["false", "true"]),
        ([1.0, 2.0], ["1", "2"]),
        ([0.5, 1.5], ["0.5", "1.5"]),
        ([" good", "bad "], ["bad", "good"]),
        (["5 stars", "10 stars"], ["5 stars", "10 stars"]),
        (["日本", "ça"], ["ça", "日本"]),
    ],
)
def test_labels_of_every_type_become_names_in_natural_order(file, labels, names):
    content = "".join(json.dumps({"text": "t", "label": label}) + "\n" for label in labels)
    assert load_reviews(file("a.jsonl", content)).features["label"].names == names


def test_any_number_of_classes_is_read(file):
    content = "text,label\n" + "".join(f"t{n},c{n % 300}\n" for n in range(900))
    assert load_reviews(file("a.csv", content)).features["label"].names[-1] == "c299"


@pytest.mark.parametrize(
    "header", ["Review,Sentiment", "REVIEW_TEXT,Stars", " content , class ", "body,y", "id,sentence,target"]
)
def test_columns_are_guessed_by_their_names(file, header):
    rows = ["1,good,a", "2,bad,b"] if header.startswith("id") else ["good,a", "bad,b"]
    assert load_reviews(file("a.csv", "\n".join([header, *rows])))["text"][:] == ["good", "bad"]


def test_columns_can_be_named(file):
    path = file("a.csv", "text,label,summary,mood\na,b,good,x\nc,d,bad,y\n")
    assert load_reviews(path, text_column="summary", label_column="mood")["text"][:] == ["good", "bad"]


def test_no_labels_are_looked_for_where_there_are_said_to_be_none(file):
    path = file("a.csv", "text,label,stars\na,x,1\nb,y,2\n")
    assert load_reviews(path, label_column="", labelled=False)["label"][:] == [-1, -1]


def test_an_id_column_is_kept(file):
    assert load_reviews(file("a.csv", "ID,text,label\nr7,a,x\nr8,b,y\n"))["id"][:] == ["r7", "r8"]


def test_without_an_id_column_rows_are_numbered(file):
    assert load_reviews(file("a.csv", CSV))["id"][:] == ["1", "2"]


@pytest.mark.parametrize(("header", "what"), [("text,review,label", "text may be in"), ("text,label,stars", "label may be in")])
def test_an_ambiguous_column_is_an_error_that_lists_them(file, header, what):
    with pytest.raises(DataError, match=f"the {what} .*Columns: {', '.join(header.split(','))}"):
        load_reviews(file("a.csv", f"{header}\na,b,c\nd,e,f\n"))


@pytest.mark.parametrize(("header", "what"), [("a,label", "text"), ("text,b", "label")])
def test_a_column_not_found_is_an_error_that_lists_them(file, header, what):
    with pytest.raises(DataError, match=f"no column looks like the {what}; name it with {what}_column"):
        load_reviews(file("a.csv", f"{header}\nx,y\nz,w\n"))


def test_an_unknown_column_has_a_suggestion(file):
    with pytest.raises(UnknownNameError, match=r"unknown column 'lable'; did you mean 'label'\? Known: text, label"):
        load_reviews(file("a.csv", CSV), label_column="lable")


def test_one_column_cannot_be_both(file):
    with pytest.raises(InputError, match="cannot hold both"):
        load_reviews(file("a.csv", CSV), text_column="text", label_column="text")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet"])
def test_an_empty_file_is_an_error(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=f"{name}' is empty"):
        load_reviews(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", "text,label\n"), ("a.csv", "\n\n"), ("a.jsonl", "\n\n"), ("a.csv.gz", "")]
)
def test_a_table_without_rows_is_an_error(file, name, content):
    with pytest.raises(DataError, match="is empty"):
        load_reviews(file(name, content))


def test_one_class_only_is_an_error(file):
    with pytest.raises(DataError, match="all 2 rows have the one label 'x'"):
        load_reviews(file("a.csv", "text,label\na,x\nb,x\n"))


def test_missing_labels_are_an_error_that_counts_them(file):
    with pytest.raises(DataError, match=r"2 of 4 rows have no label \(the first is row 2\)"):
        load_reviews(file("a.csv", "text,label\na,x\nb,\nc,y\nd, \n"))


def test_a_label_for_each_row_is_taken_for_the_wrong_column(file):
    with pytest.raises(DataError, match="each of the 12 rows has a label of its own"):
        load_reviews(file("a.csv", "text,label\n" + "".join(f"t,{n}.5\n" for n in range(12))))


def test_missing_labels_are_minus_one_where_they_are_allowed(file):
    assert load_reviews(file("a.csv", "text,label\na,x\nb,\n"), labelled=False)["label"][:] == [0, -1]


@pytest.mark.parametrize(("name", "content"), [("a.csv", "text\na\nb\n"), ("a.jsonl", '{"text": "a"}\n{"text": "b"}')])
def test_a_table_without_labels_is_read_where_that_is_allowed(file, name, content):
    data = load_reviews(file(name, content), labelled=False)
    assert (data["text"][:], data["label"][:], data.features["label"].names) == (["a", "b"], [-1, -1], [])


def test_given_classes_set_the_order(file):
    assert load_reviews(file("a.csv", CSV), classes=["pos", "neg", "mixed"])["label"][:] == [0, 1]


@pytest.mark.parametrize("labels", [("1", "0"), ("Positive", "NEGATIVE"), ("pos", "neg")])
def test_given_classes_are_found_by_number_or_case_or_short_form(file, labels):
    content = f"text,label\na,{labels[0]}\nb,{labels[1]}\n"
    assert load_reviews(file("a.csv", content), classes=["negative", "positive"])["label"][:] == [1, 0]


@pytest.mark.parametrize("classes", [["1", "2", "4", "5"], ["1 star", "2 stars", "4 stars", "5 stars"], ["-1", "0", "1"]])
def test_where_classes_are_numbers_another_number_is_an_unknown_label(file, classes):
    with pytest.raises(UnknownNameError, match="unknown label '3'"):
        load_reviews(file("a.csv", f"text,label\na,{classes[1]}\nb,3\n"), classes=classes)


def test_one_of_the_given_classes_is_enough(file):
    assert load_reviews(file("a.csv", "text,label\na,x\nb,x\n"), classes=["x", "y"])["label"][:] == [0, 0]


def test_a_label_that_is_no_given_class_is_an_error(file):
    with pytest.raises(UnknownNameError, match=r"a.csv': unknown label 'positiv'; did you mean 'positive'\?"):
        load_reviews(file("a.csv", "text,label\na,positiv\nb,negative\n"), classes=["negative", "positive"])


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("a.csv", b"text,label\ngood,a\ncaf\xe9,b\n", "offset 21, line 3"),
        ("a.csv.gz", b"text,label\ngood,a\ncaf\xe9,b\n", "offset 21, line 3"),
        ("a.csv", b"\xef\xbb\xbftext,label\ngood,a\ncaf\xe9,b\n", "offset 24, line 3"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": "caf\xe9", "label": 2}\n', "offset 39, line 2"),
        ("a.csv", "text,label\na,b\n".encode("utf-16"), r"offset 0, line 1 \(it looks like UTF-16\)"),
        ("a.csv", b"text,label\n" + b"x,a\n" * 500_000 + b"\xff,b\n", "offset 2000011, line 500002"),
        ("a.csv", b"text,label\na,b\nx,caf\xc3", "offset 20, line 3"),
    ],
)
def test_bytes_that_are_not_utf8_are_placed(file, name, data, place):
    with pytest.raises(DataError, match=f"is not UTF-8: wrong byte at {place}.*errors='replace'"):
        load_reviews(file(name, data))


def test_wrong_bytes_can_be_replaced(file):
    assert load_reviews(file("a.csv", b"text,label\ncaf\xe9,b\nx,c\n"), errors="replace")["text"][0] == "caf\ufffd"


def test_another_encoding_can_be_named(file):
    assert load_reviews(file("a.csv", b"text,label\ncaf\xe9,b\nx,c\n"), encoding="latin-1")["text"][0] == "café"


@pytest.mark.parametrize("keywords", [{"encoding": "utf-99"}, {"encoding": "hex"}, {"errors": "loudly"}])
def test_an_unknown_encoding_is_an_error(file, keywords):
    with pytest.raises(InputError):
        load_reviews(file("a.csv", CSV), **keywords)


@pytest.mark.parametrize(
    "content",
    ['text,label\na,b\n"c,d\n', "text,label\na,b\nc,d,e\n", "text,label\na,b,c\nd,e,f\n", 'text,label\na,"b\n' + "c,d\n" * 50],
)
def test_a_csv_that_does_not_hold_together_is_an_error(file, content):
    with pytest.raises(DataError, match=r"cannot read .*a.csv' as a table"):
        load_reviews(file("a.csv", content))


@pytest.mark.parametrize(
    "line", ["{", "[1]", "3", '{"label": 1}', '{"text": "a", "label": [1]}', '{"text": ["a"], "label": 1}', "[" * 100_000]
)
def test_a_wrong_json_line_is_named(file, line):
    with pytest.raises(DataError, match=r"a.jsonl'.*(line 2|object 2|row 2)"):
        load_reviews(file("a.jsonl", '{"text": "a", "label": 0}\n' + line + '\n{"text": "b", "label": 1}\n'))


@pytest.mark.parametrize("content", ["3", "[1, 2]", '{"text": ["a"], "label": [1, 2]}', '"x"', "[]", "[" * 100_000])
def test_json_of_another_form_is_an_error(file, content):
    with pytest.raises(DataError, match=r"a.json'"):
        load_reviews(file("a.json", content))


def test_half_a_surrogate_pair_in_a_label_is_replaced_too(file):
    path = file("a.jsonl", '{"text": "a", "label": "\\udc00", "id": "\\ud800"}\n{"text": "b", "label": "x", "id": 2}\n')
    assert load_reviews(path).features["label"].names == ["x", "\ufffd"]


def test_a_quoted_header_over_ordinary_quotes_is_read(file):
    content = '"sentence"\t"label"\n"a start without end\t1\nfine\t0\nand " here\t1\n" more\t0\n'
    assert load_reviews(file("a.tsv", content))["text"][:] == ['"a start without end', "fine", 'and " here', '" more']


def test_a_row_too_short_has_no_label(file):
    with pytest.raises(DataError, match=r"1 of 3 rows have no label \(the first is row 2\)"):
        load_reviews(file("a.csv", "text,label\na,x\nb\nc,y\n"))


def test_half_a_surrogate_pair_becomes_a_replacement(file):
    path = file("a.jsonl", '{"text": "a \\ud83d b", "label": 0}\n{"text": "\\ud83d\\ude00", "label": 1}\n')
    assert load_reviews(path)["text"][:] == ["a \ufffd b", "😀"]


@pytest.mark.parametrize("change", [lambda data: data[:-20], lambda data: b"PAR1" + data[40:], lambda data: b"none"])
def test_a_broken_parquet_file_is_named(tmp_path, change):
    path = _parquet(tmp_path / "a.parquet", {"text": TEXTS, "label": ["pos", "neg"]})
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.parquet' is broken or not Parquet"):
        load_reviews(path)


def test_a_parquet_text_column_of_lists_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"the column 'text' holds list<.*>, not one value a row"):
        load_reviews(_parquet(tmp_path / "a.parquet", {"text": [["a"], ["b"]], "label": [0, 1]}))


def test_a_truncated_gz_is_named(file):
    path = file("a.csv.gz", CSV * 100)
    path.write_bytes(gzip.compress((CSV * 100).encode())[:-9])
    with pytest.raises(DataError, match=r"a\.csv\.gz' is broken or cut off"):
        load_reviews(path)


def test_an_unknown_kind_of_file_lists_the_known(file):
    with pytest.raises(DataError, match=r"unknown kind of file: .*a.xlsx'; known: .csv, .tsv"):
        load_reviews(file("a.xlsx", "x"))


def test_a_date_beyond_the_calendar_in_a_parquet_file_is_an_error(tmp_path):
    dates = pyarrow.array([2**62, 0], pyarrow.int64()).cast(pyarrow.timestamp("us"))
    parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": dates}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="broken or not Parquet"):
        load_reviews(tmp_path / "a.parquet")


def test_bytes_that_are_no_text_in_a_parquet_file_are_named_by_their_row(tmp_path):
    texts = pyarrow.array([b"good", b"\xff"], pyarrow.binary())
    parquet.write_table(pyarrow.table({"text": texts, "label": ["p", "n"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="row 2: the text is not UTF-8"):
        load_reviews(tmp_path / "a.parquet")
