# make demo   fly the generated world: installs what flies, builds its map, prints the figures, draws the picture
# make test   everything checked, as CI does
# make clean  forget what was installed and made (XFeat in your home folder stays)

PYTHON ?= python3
BIN := .venv/bin
MATCHER := $(HOME)/.local/share/skyfix/xfeat-1.bundle/manifest.json
# A newer torch beside this torchvision replaces the CPU build by CUDA's; see pyproject.toml.
TORCH := torch==2.13.0
# A peer that tests listen with; what it depends on would put another OpenCV over ours.
MAVPROXY := MAVProxy==1.8.75
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: demo test lint matcher clean
.DELETE_ON_ERROR:

demo: .venv/.base demo/town.tiles
	$(BIN)/python -m runtime.replay demo/world/flight --tiles demo/town.tiles \
		--out demo/fixes.jsonl --report demo/report.json --map demo/picture.png

demo/world/map.tif: | .venv/.base
	$(BIN)/python -m train.world demo/world

demo/town.tiles: demo/world/map.tif runtime/model/default.bundle/manifest.json | .venv/.base
	$(BIN)/python -m runtime.tiles build --imagery demo/world/map.tif --out demo/town.tiles --accuracy 1

# The base install: what flies, and no torch.
.venv/.base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP_INSTALL) -e .
	touch $@

.venv/.dev: pyproject.toml .venv/.base
	$(PIP_INSTALL) -e '.[dev]'
	$(PIP_INSTALL) --no-deps $(MAVPROXY)
	touch $@

# XFeat, the peer of our own local features and their teacher: third-party weights are turned into a graph once, on this
# machine; torch comes and goes.
matcher: $(MATCHER)
$(MATCHER):
	if test -f .venv/.dev; then $(BIN)/python -m export.matcher; else \
		$(PYTHON) -m venv .venv-matcher && \
		.venv-matcher/bin/pip install --quiet --disable-pip-version-check -e '.[matcher]' $(TORCH) && \
		.venv-matcher/bin/python -m export.matcher && rm -rf .venv-matcher; fi

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy benchmarks docs
	$(BIN)/lint-imports

test: lint $(MATCHER)
	$(BIN)/python -m pytest

clean:
	rm -rf .venv .venv-matcher demo build
