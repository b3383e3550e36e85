"""Archives: what is broken or unsafe is refused, and says so."""

from __future__ import annotations

import gzip
import tarfile
import zipfile

import pytest

from textlrp.errors import DataError
from textlrp.text.sources import archive, load_reviews

GOOD = {"neg/1.txt": "bad", "pos/1.txt": "good"}


def test_a_zip_is_read(zipped):
    assert load_reviews(zipped(GOOD))["text"][:] == ["bad", "good"]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
def test_a_tar_is_read(tar, name):
    assert load_reviews(tar(GOOD, name))["text"][:] == ["bad", "good"]


@pytest.mark.parametrize("name", ["../neg/9.txt", "/neg/9.txt", "neg/../../9.txt", "neg\\..\\9.txt", "C:/neg/9.txt"])
def test_a_member_outside_the_folder_is_refused(tar, name):
    with pytest.raises(DataError, match="outside its folder; refused"):
        load_reviews(tar({**GOOD, name: "x"}))


def test_a_zip_member_outside_the_folder_is_refused(zipped):
    with pytest.raises(DataError, match="outside its folder; refused"):
        load_reviews(zipped({**GOOD, "../neg/9.txt": "x"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tar, kind):
    info = tarfile.TarInfo("neg/9.txt")
    info.type, info.linkname = kind, "/etc/hostname"
    with pytest.raises(DataError, match="a link or device; refused"):
        load_reviews(tar(GOOD, extra=(info,)))


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("neg/9.txt")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/hostname")
    with pytest.raises(DataError, match="a link or device; refused"):
        load_reviews(tmp_path / "a.zip")


def test_a_truncated_archive_is_named(tar):
    path = tar({f"{label}/{n}.txt": f"{n * 7919} {label}" * 50 for n in range(60) for label in ("neg", "pos")})
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"reviews.tar.gz' is broken or cut off .*; get it again"):
        load_reviews(path)


def test_an_archive_cut_after_its_last_member_is_noticed(tar):
    path = tar(GOOD)
    path.write_bytes(path.read_bytes()[:-8])  # the checksum and length at the end of a gzip file
    with pytest.raises(DataError, match="broken or cut off"):
        load_reviews(path)


def test_a_changed_byte_in_a_gzip_is_noticed(tar):
    path = tar(GOOD)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="broken or cut off"):
        load_reviews(path)


def test_a_damaged_header_within_a_plain_tar_is_noticed(tar):
    path = tar({**GOOD, "pos/2.txt": "fine"}, "a.tar")
    data = bytearray(path.read_bytes())
    data[2048] ^= 1  # the name of the third member
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="broken or cut off"):
        load_reviews(path)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip", "a.tar"])
@pytest.mark.parametrize("content", [b"", b"this is not an archive at all" * 40])
def test_a_file_that_is_no_archive_is_named(file, name, content):
    path = file("raw", content).rename(file("raw", content).with_name(name))
    with pytest.raises(DataError, match=f"{name}' is broken or cut off"):
        load_reviews(path)


def test_a_truncated_zip_is_named(zipped):
    path = zipped(GOOD)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="broken or cut off"):
        load_reviews(path)


def test_a_member_too_large_is_refused(tar, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 10)
    with pytest.raises(DataError, match="has 11 bytes; a text may have 10 at most"):
        load_reviews(tar({**GOOD, "neg/2.txt": "x" * 11}))


def test_a_tar_that_unpacks_to_too_much_is_refused(tar, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 100_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        load_reviews(tar({**GOOD, "zeros.bin": b"\0" * 300_000}))


def test_a_zip_that_unpacks_to_too_much_is_refused(zipped, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 100_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        load_reviews(zipped({**GOOD, "zeros.bin": b"\0" * 300_000}))


def test_an_extended_header_of_gigabytes_is_not_read_into_memory(tmp_path):
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 8 * 2**30
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 10_000))
    with pytest.raises(DataError, match="unpacks to more than"):
        load_reviews(path)


def test_a_zip_with_a_password_is_an_error(zipped):
    path = zipped(GOOD)
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while start >= 0:
            data[start + place] |= 1  # the flag of an encrypted member
            start = data.find(mark, start + 1)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="unpack it and give the folder"):
        load_reviews(path)


def test_the_hidden_files_of_other_systems_are_passed_over(zipped):
    assert len(load_reviews(zipped({**GOOD, "neg/._1.txt": b"\xff\xfe", "__MACOSX/neg/1.txt": b"\xff"}))) == 2


def test_a_failed_reading_leaves_nothing_in_the_cache(tar, monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTLRP_CACHE", str(tmp_path / "cache"))
    path = tar(GOOD)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError):
        load_reviews(path)
    assert not list((tmp_path / "cache" / "reviews").iterdir())
