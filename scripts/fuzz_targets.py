"""The table of what is fuzzed."""

from __future__ import annotations

import fuzz_checkpoint as checkpoints
import fuzz_files as files
import fuzz_records as records
import fuzz_server
from fuzz_loop import Target

__all__ = ["TARGETS"]

_TABLE = (
    Target(
        "tokeniser",
        "tokenise, words, normal_form, Vocabulary.encode on any text",
        records.tokeniser,
        records.text_seeds,
        records.generated_texts,
        words=(b"&eacute;", b"<a ", b"-->", b"http://", b"@", b".com", b"'s", b"\xe2\x80\x8d", b"\xef\xb8\x8f\xe2\x83\xa3"),
    ),
    Target(
        "vocabulary",
        "Vocabulary.load of any file",
        records.stored_vocabulary,
        records.vocabulary_seeds,
        records.generated_vocabularies,
        words=(b'"words"', b'"<pad>"', b'"<unk>"', b'"version"'),
        as_json=True,
    ),
    Target(
        "loaders",
        "load_reviews of CSV, TSV, JSON (lines), Parquet, .gz, .zip, .tar and folders",
        files.loaders,
        files.loader_seeds,
        files.generated_reviews,
        words=(
            b"text,label\n",
            b'""',
            b"PAR1",
            b"PK\x01\x02",
            b"ustar",
            b"\n===\n",
            b"../x",
            b"train/pos/1.txt",
            b"GNU.sparse.size=9\n",
        ),
    ),
    Target(
        "vectors",
        "load_vectors of text, binary and compressed files",
        files.vectors,
        files.vector_seeds,
        files.generated_vectors,
        words=(b"2 3\n", b"1000000000 1000000\n", b" 1e39", b" nan", b" -inf", b"\x80\x04", b"</s> "),
    ),
    Target(
        "checkpoint",
        "textlrp.load of a checkpoint with one file replaced, then predict and explain",
        checkpoints.checkpoint,
        checkpoints.checkpoint_seeds,
        checkpoints.generated_checkpoints,
        words=(
            b'"dtype":"F32"',
            b'"shape":[',
            b'"data_offsets":[0,',
            b'"__metadata__":{}',
            b'"BF16"',
            b"\xff\xff\x7f\x7f",
            b"\x00\x00\x80\x7f",
        ),
        as_json=True,
    ),
    Target(
        "explanation-json",
        "Explanation.from_json and what reads the record",
        records.stored_explanation,
        records.explanation_seeds,
        records.generated_explanations,
        words=(b'"start": ', b'"end": ', b'"relevance": [', b'"version": 1', b"\\ud800", b"\\u0000"),
        as_json=True,
    ),
    Target(
        "highlight",
        "page, fragment, terminal and the other pictures of an explanation of any text, numbers and names",
        records.highlight,
        records.text_seeds,
        records.generated_texts,
        words=(b"<script>", b"</script>", b"{{7*7}}", b"]]>", b"[bold]", b"\\textbf{", b"$", b"`", b"*", b"_"),
    ),
    Target(
        "server",
        "any request to the application behind textlrp serve",
        fuzz_server.server,
        fuzz_server.request_seeds,
        fuzz_server.generated_requests,
        words=(
            b"content-type: application/json\n",
            b"host: localhost\n",
            b"\n\n",
            b"?a=b",
            b'"text":',
            b'"choices":[{}]',
            b"%00",
        ),
    ),
)
TARGETS = {target.name: target for target in _TABLE}
