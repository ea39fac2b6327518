"""A sealed stream opens whole and as it was written, or not at all."""

import io
import secrets

import pytest

from strongroom.custody.sealing import Custodian
from strongroom.custody.stream import CHUNK_BYTES, MAGIC, SEALED_BYTES, ArchiveBroken, SealedReader, SealedWriter
from strongroom.sensitive import Sensitive

CUSTODIAN = Custodian(Sensitive(bytes(range(32))))
CONTENT = secrets.token_bytes(2 * CHUNK_BYTES + 1000)


def seal(content, *, step=1_000_000, custodian=CUSTODIAN):
    sink = io.BytesIO()
    writer = SealedWriter(sink, custodian)
    for start in range(0, len(content), step):
        writer.write(content[start : start + step])
    writer.finish()
    return sink.getvalue()


def unseal(sealed, custodian=CUSTODIAN):
    return SealedReader(io.BytesIO(sealed), custodian).read(1 << 30)


@pytest.fixture(scope="module")
def sealed():
    return seal(CONTENT)


HEAD = len(seal(b"")) - (SEALED_BYTES - CHUNK_BYTES)


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_what_was_written_is_read(length):
    assert unseal(seal(CONTENT[:length])) == CONTENT[:length]


def test_it_is_read_in_pieces_of_any_size(sealed):
    reader = SealedReader(io.BytesIO(sealed), CUSTODIAN)
    pieces = [reader.read(count) for count in (0, 1, 100, CHUNK_BYTES, 2 * CHUNK_BYTES, 1)]
    assert [len(piece) for piece in pieces] == [0, 1, 100, CHUNK_BYTES, CHUNK_BYTES + 899, 0]
    assert b"".join(pieces) == CONTENT


def test_no_two_archives_are_alike_and_none_shows_its_content():
    one, other = seal(b"the content " * 1000), seal(b"the content " * 1000)
    assert one[len(MAGIC) + 40 :] != other[len(MAGIC) + 40 :]
    assert b"content" not in one


REGIONS = {
    "magic": 0,
    "version": len(MAGIC) - 2,
    "length": len(MAGIC) + 3,
    "key id": len(MAGIC) + 20,
    "sealed key": HEAD - 10,
    "first chunk, its header": HEAD,
    "first chunk, its key": HEAD + 5,
    "first chunk, its nonce": HEAD + 20,
    "first chunk": HEAD + 1000,
    "first chunk, its tag": HEAD + SEALED_BYTES - 1,
    "second chunk": HEAD + SEALED_BYTES + 1000,
    "last chunk": HEAD + 2 * SEALED_BYTES + 500,
    "last byte": -1,
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("bit", [0, 7])
def test_a_changed_bit_is_refused_wherever_it_is(sealed, region, bit):
    changed = bytearray(sealed)
    changed[REGIONS[region]] ^= 1 << bit
    with pytest.raises(ArchiveBroken):
        unseal(bytes(changed))


@pytest.mark.parametrize(
    "length",
    [0, 5, len(MAGIC), len(MAGIC) + 2, len(MAGIC) + 10, HEAD - 1, HEAD, HEAD + 1, HEAD + 44, HEAD + SEALED_BYTES - 1,
     HEAD + SEALED_BYTES, HEAD + 2 * SEALED_BYTES, -1],
)  # fmt: skip
def test_a_stream_that_was_cut_short_is_refused(sealed, length):
    with pytest.raises(ArchiveBroken):
        unseal(sealed[:length])


@pytest.mark.parametrize("length", [HEAD + SEALED_BYTES, HEAD + 2 * SEALED_BYTES])
def test_one_that_ends_between_two_chunks_is_told_to_be_cut(sealed, length):
    with pytest.raises(ArchiveBroken, match="was cut short at byte"):
        unseal(sealed[:length])


def chunks(sealed):
    body = sealed[HEAD:]
    return sealed[:HEAD], [body[start : start + SEALED_BYTES] for start in range(0, len(body), SEALED_BYTES)]


@pytest.mark.parametrize(
    "order", [(1, 0, 2), (0, 2, 1), (0, 0, 2), (0, 2), (2,), (0, 1, 2, 2), (0, 1, 2, 0), (0, 1, 1)]
)
def test_chunks_in_another_order_are_refused(sealed, order):
    head, found = chunks(sealed)
    with pytest.raises(ArchiveBroken):
        unseal(head + b"".join(found[number] for number in order))


@pytest.mark.parametrize("more", [b"\0", b"more", bytes(2 * SEALED_BYTES)])
def test_what_stands_behind_the_end_is_refused(sealed, more):
    with pytest.raises(ArchiveBroken):
        unseal(sealed + more)


def test_chunks_of_another_stream_are_refused(sealed):
    (head, ours), (_, theirs) = chunks(sealed), chunks(seal(CONTENT))
    with pytest.raises(ArchiveBroken):
        unseal(head + ours[0] + theirs[1] + ours[2])


def test_another_master_key_is_told():
    foreign = Custodian(Sensitive(bytes(32)))
    with pytest.raises(ArchiveBroken, match="under another master key"):
        unseal(seal(b"content"), foreign)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", MAGIC, MAGIC + b"\xff\xff\xff\xff", bytes(5000)])
def test_what_is_no_archive_is_told(content):
    with pytest.raises(ArchiveBroken):
        unseal(content)
