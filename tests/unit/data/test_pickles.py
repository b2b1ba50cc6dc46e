"""Reading pickled batches: every published form, nothing else, and one sentence for what is damaged."""

import pickle
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.parts import pickles
from benchmarks.files.errors import InputError

SHAPE = (1, 2, 2)
IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 4)
LABELS = [1, 2, 3]


def of_python_2(images: np.ndarray, labels: list[int]) -> bytes:
    """As cPickle of Python 2 wrote CIFAR-10: protocol 2, bytes as strings, numpy by its old name."""

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
    numbers = (
        b"cnumpy\ndtype\n("
        + text(b"u1")
        + b"K\x00K\x01tR(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    rows, columns = images.shape
    size = struct.pack("<i", rows), struct.pack("<i", columns)
    array += b"(K\x01(J" + size[0] + b"J" + size[1] + b"t" + numbers + b"\x89" + text(images.tobytes()) + b"tb"
    numbered = b"](" + b"".join(b"K" + bytes((label,)) for label in labels) + b"e"
    return (
        b"\x80\x02}("
        + text(b"batch_label")
        + text(b"batch 1 of 5")
        + text(b"labels")
        + numbered
        + text(b"data")
        + array
        + b"u."
    )


@pytest.fixture
def write(tmp_path):
    def to_file(content: object, protocol: int = 3) -> Path:
        path = tmp_path / "batch"
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
        return path

    return to_file


def test_python_2_form_is_one(write):
    """The check of the check: the standard library, with numpy, reads the same out of it."""
    content = pickle.loads(of_python_2(IMAGES, LABELS), encoding="latin1")
    np.testing.assert_array_equal(content["data"], IMAGES)
    assert content["labels"] == LABELS


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("order", ["C", "F"])
def test_reads_what_python_3_wrote(write, protocol, order):
    content = {"data": np.asarray(IMAGES, order=order), "labels": LABELS}
    path = write(content, protocol)
    images, labels = pickles.read_batch(path, SHAPE, 1, 3)
    assert (images.dtype, images.shape) == (np.uint8, (3, *SHAPE))
    np.testing.assert_array_equal(images.reshape(3, 4), IMAGES)
    assert labels.tolist() == LABELS


def test_reads_what_python_2_wrote(write):
    images, labels = pickles.read_batch(write(of_python_2(IMAGES + 200, LABELS)), SHAPE, 1, 3)
    np.testing.assert_array_equal(images.reshape(3, 4), IMAGES + 200)
    assert labels.tolist() == LABELS


class Evil:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "place",
    [
        lambda evil: evil,
        lambda evil: {"data": IMAGES, "labels": [1, 2, evil]},
        lambda evil: {"data": np.array([evil], dtype=object), "labels": LABELS},
        lambda evil: {evil: 1},
    ],
)
def test_code_is_refused_and_does_not_run(tmp_path, write, place):
    marker = tmp_path / "marker"
    content = pickle.dumps(place(Evil(open, str(marker), "w")), 3)
    path = write(content)
    with pytest.raises(InputError, match=r"batch: found no pickle of arrays \(names _?io\.open"):
        pickles.read_batch(path, SHAPE, 1, 3)
    assert not marker.exists()
    with suppress(TypeError):
        pickle.loads(content)
    assert marker.exists()  # it is code that would have run


@pytest.mark.parametrize(
    ("evil", "named"),
    [
        (Evil(eval, "1"), "builtins.eval"),
        (Evil(getattr, "text", "upper"), "builtins.getattr"),
        (Evil(np.load, "x"), r"numpy\.load"),
        (Evil(np.random.default_rng), r"numpy\.random\.default_rng"),
        (np.float64(1.0), r"numpy\._core\.multiarray\.scalar"),
        (Path("x"), r"pathlib(\._local)?\.PosixPath"),  # 3.13 names the module that defines it
    ],
)
def test_every_other_name_is_refused(write, evil, named):
    with pytest.raises(InputError, match=rf"no pickle of arrays \(names {named}\)"):
        pickles.read_batch(write({"data": evil}), SHAPE, 1, 3)


@pytest.mark.parametrize("whole", [of_python_2(IMAGES, LABELS), pickle.dumps({"data": IMAGES, "labels": LABELS}, 3)])
def test_every_truncation_is_one_sentence(write, whole):
    for length in range(0, len(whole), 7):
        with pytest.raises(InputError, match="batch: found no pickle of arrays") as caught:
            pickles.read_batch(write(whole[:length]), SHAPE, 1, 3)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "keys: found list; must be a dict with data and labels"),
        ({"data": IMAGES}, "keys: found data; must be a dict with data and labels"),
        ({"data": IMAGES.astype(float), "labels": LABELS}, "images: found float64"),
        ({"data": IMAGES[:, :3], "labels": LABELS}, r"images: found shape \(3, 3\); n x 4 is needed"),
        ({"data": IMAGES[0], "labels": LABELS}, r"images: found shape \(4,\); n x 4 is needed"),
        ({"data": "images", "labels": LABELS}, "images: found str"),
        ({"data": IMAGES, "labels": [1, 2]}, "labels: found 2 of them; 3 whole numbers from 1 to 3 are needed"),
        ({"data": IMAGES, "labels": [1, 2, 4]}, "labels: found values from 1 to 4"),
        ({"data": IMAGES, "labels": [0, 1, 2]}, "labels: found values from 0 to 2"),
        ({"data": IMAGES, "labels": [1, 2, 2.5]}, "labels: found values from 1.0 to 2.5"),
        ({"data": IMAGES, "labels": ["a", "b", "c"]}, "labels: found list"),
    ],
)
def test_other_content_is_one_sentence(write, content, said):
    with pytest.raises(InputError, match=f"batch: .*{said}|batch: {said}") as caught:
        pickles.read_batch(write(content), SHAPE, 1, 3)
    assert "\n" not in str(caught.value)
