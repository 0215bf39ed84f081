"""A toy encoder as a real bundle, and a small map to fly over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from runtime.flights.flight import Flight, read_truth
from runtime.frame import Frame
from runtime.geo.mercator import LatLon
from runtime.model.bundle import ENCODER_FILES, FORMAT, file_entry, write_manifest
from runtime.tiles.__main__ import main as tiles

SIDE_PX, DIM = 32, 24


def write_toy_bundle(path: Path, seed: int) -> Path:
    """Eight by eight means of the picture, their average taken out, through a drawn projection onto the sphere."""
    weight = np.random.default_rng(seed).normal(size=(8 * 8 * 3, DIM)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["nchw"], ["cells"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1]),
        helper.make_node("Sub", ["flat", "mean"], ["contrast"]),
        helper.make_node("MatMul", ["contrast", "weight"], ["projected"]),
        helper.make_node("LpNormalization", ["projected"], ["embedding"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE_PX, SIDE_PX, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.mkdir()
    file = path / ENCODER_FILES["fp32"]
    onnx.save(model, file)
    write_manifest(
        path,
        {
            "format": FORMAT,
            "kind": "encoder",
            "name": path.stem,
            "encoder": {"backbone": "toy", "dim": DIM, "truncations": [], "side_px": SIDE_PX},
            "files": {file.name: file_entry(file, "fp32")},
        },
    )
    return path


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "toy.bundle", seed=0)


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same graph with other weights."""
    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "other.bundle", seed=1)


@pytest.fixture(scope="session")
def toy_tiles(small_world: Path, toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the small world's map by the toy encoder; not to be written to."""
    out = tmp_path_factory.mktemp("toy_tiles") / "town.tiles"
    assert tiles(["build", "--imagery", str(small_world / "map.tif"), "--bundle", str(toy_bundle), "--out", str(out),
                  "--footprints", "32", "45"]) == 0  # fmt: skip
    return out


@pytest.fixture(scope="session")
def town(small_world: Path, default_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the generated map by the encoder that ships; not to be written to."""
    out = tmp_path_factory.mktemp("town") / "town.tiles"
    assert default_bundle.is_dir()
    assert tiles(["build", "--imagery", str(small_world / "map.tif"), "--out", str(out), "--footprints", "45", "64",
                  "--accuracy", "1"]) == 0  # fmt: skip
    return out


@pytest.fixture(scope="session")
def flight(small_world: Path) -> Flight:
    return Flight.open(small_world / "flight")


@pytest.fixture(scope="session")
def frames(flight: Flight) -> list[Frame]:
    return list(flight.frames())


@pytest.fixture(scope="session")
def drones(small_world: Path) -> dict[int, LatLon]:
    """Where the drone truly was."""
    truth = read_truth(small_world / "flight/truth.csv")
    return {t_us: row.drone for t_us, row in truth.items() if row.drone is not None}
