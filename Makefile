# Set-up, tests and boards; `make` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REFERENCE := results/reference

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-fast storm lint format leaderboard docs gallery bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMP) ## make .venv and install openmix with the pinned versions

$(STAMP): setup.cfg requirements.lock
	@tools/venv.sh $(PYTHON) $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

quickstart: install ## train 4 methods x 3 seeds on noisy digits and render the leaderboard
	@echo
	@echo "scikit-learn's digits with 40 % of the training labels redrawn: a label-noise setting, chosen"
	@echo "because mixing helps visibly there. On clean digits it does not (+exp=digits)."
	@echo
	@OPENMIX_RECORDS=results/quickstart/records $(BIN)/python tools/train.py --multirun \
		+exp=digits_noisy mixup=none,mixup,cutmix,fmix seed=0,1,2
	@echo
	@$(BIN)/python tools/leaderboard.py records=results/quickstart/records out=results/quickstart

test: install ## run all tests, the slow ones too
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-fast: install ## run the tests that take seconds
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m 'not slow'

storm: install ## kill the runs of a sweep 200 times, and its launcher, and compare what they end with
	rm -rf build/storm
	$(BIN)/python tests/sweep/storm.py build/storm

lint: install ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: install ## format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

leaderboard: install ## render the boards that ship, in results/reference, one for each network
	$(BIN)/python tools/leaderboard.py protocol=digits_noisy \
		records=$(REFERENCE)/records out=$(REFERENCE)/leaderboard
	$(BIN)/python tools/leaderboard.py protocol=digits_noisy_vit \
		records=$(REFERENCE)/records out=$(REFERENCE)/leaderboard/digits_noisy_vit

docs: install ## write docs/mixups.md from the classes
	$(BIN)/python tools/list.py mixups --markdown > docs/mixups.md

gallery: install ## draw docs/gallery.jpg, a dozen mixups, and docs/gallery/, all of them by family
	$(BIN)/python tools/preview.py seed=32 out=docs/gallery.jpg \
		mixup=mixup,cutmix,resizemix,fmix,smoothmix,gridmixup,saliencymix,puzzlemix,snapmix,attentivemix,manifoldmix,transmix
	$(BIN)/python tools/preview.py seed=32 out=docs/gallery 'mixup=glob(*)'

bench: install ## how fast a step and the loader are
	$(BIN)/python benchmarks/step_overhead.py
	$(BIN)/python benchmarks/loader.py

lock: ## resolve requirements.lock anew (needs uv)
	uv pip compile setup.cfg --extra dev --universal --python-version 3.11 \
		--no-header --no-annotate --upgrade --output-file requirements.lock

clean: ## remove the environment and what a run leaves behind
	rm -rf $(VENV) build runs sweeps wandb results/quickstart *.egg-info .pytest_cache .ruff_cache
