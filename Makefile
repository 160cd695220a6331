# Glyphone: every task of the project by name. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
# What the locked packages take in it.
SETUP_GB := 7
PEERS := peers kraken calamari  # environments .venv-NAME, from requirements/NAME.txt
PYTHON := $(VENV)/bin/python
# dvc and its stages call plain `python`: the environment's comes first.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/pip-compile --quiet --no-header --strip-extras --upgrade \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
# torch asks for its CUDA libraries on Linux alone; pip-compile drops that condition.
CUDA_ONLY = sed -i -E 's/^((nvidia-|cuda-|triton)[^ ;]*==[^ ;]+)$$/\1 ; platform_system == "Linux"/'

.PHONY: help setup test test-slow repro models lint format lock peers bench clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS=$$'\t' read -r name text; do printf '  make %-11s%s\n' "$$name" "$$text"; done

setup: $(VENV)/installed.txt  ## Create .venv and install the locked requirements; a second call does nothing

# The stamp is the lock that was installed; a newer lock installs again.
$(VENV)/installed.txt: requirements/dev.txt requirements/base.txt
	@python=$$(for name in python3.11 python3.12 python3; do \
		if $$name -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then echo $$name; break; fi; done); \
	if [ -z "$$python" ]; then echo "error: Glyphone needs Python 3.11 or 3.12; none was found on PATH" >&2; exit 2; fi; \
	free=$$(df -Pk . | awk 'NR == 2 {print int($$4 / 1e6)}'); \
	if [ ! -x $(PYTHON) ] && [ "$$free" -lt $(SETUP_GB) ]; then \
		echo "error: set-up needs $(SETUP_GB) GB of disk for $(CURDIR)/$(VENV); $$free GB are free" >&2; exit 2; fi; \
	[ -x $(PYTHON) ] || { echo "creating $(VENV) with $$python" >&2; $$python -m venv $(VENV); }
	@echo "installing requirements/dev.txt (minutes the first time: torch is large)" >&2
	@$(PYTHON) -m pip install --quiet --require-virtualenv -r requirements/dev.txt
	@# DVC's own page of plots fetches its drawing library from the network; this one has it inside.
	@$(PYTHON) -m pipelines.plots_page .dvc/plots.html
	@$(VENV)/bin/dvc config --quiet --local plots.html_template plots.html
	@cp requirements/dev.txt $@

test: setup  ## Run the tests (browser tests where chromium is installed)
	@$(PYTHON) -m pytest -n 2 --dist loadgroup -m "not slow"

test-slow: setup  ## Run the miniature pipelines of both modalities, end to end
	@$(PYTHON) -m pytest -m slow

repro: setup  ## Run both pipelines to their reports; RECIPE=an4 chooses another recipe, ROOT=folder its data, DOWNLOAD=1 fetches it
	$(if $(ROOT),$(if $(RECIPE),,$(error ROOT=$(ROOT) needs a recipe whose data it is: make repro RECIPE=speech ROOT=$(ROOT))))
	@$(PYTHON) -m pipelines.recipe $(if $(RECIPE),"$(RECIPE)" $(if $(ROOT),--root "$(ROOT)"),--refresh) $(if $(DOWNLOAD),--download)
	@# Both modalities side by side: at this size a second core helps one training little.
	@$(PYTHON) -m pipelines.recipe --targets | xargs -r -n 1 -P 2 $(VENV)/bin/dvc --wait-for-lock repro
	@$(PYTHON) -m pipelines.recipe --targets | xargs -n 1 | sed -E 's,report@(.*),report: results/\1/report.html,'

models: setup  ## Train the recipes' models where needed and pack them below dist/; MODELS="an4 fraktur_pretrained" chooses
	@$(PYTHON) -m benchmarks.models $(MODELS)

lint: setup  ## Check style (ruff), formatting and types (mypy)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

format: setup  ## Format the code
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

lock: setup  ## Compile requirements/*.in into locks with today's releases
	@cd requirements && export PATH="$(CURDIR)/$(VENV)/bin:$$PATH" && for name in base dev export transcribe $(PEERS); do \
		$(subst $(VENV)/bin/,,$(COMPILE)) --output-file $$name.txt $$name.in; $(CUDA_ONLY) $$name.txt; done

peers: setup  ## Create an environment for each program that benchmarks compare with
	@for name in $(PEERS); do lock=requirements/$$name.txt; folder=.venv-$$name; \
		if [ $$name = calamari ] && ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
			echo "calamari needs Python 3.11: left out" >&2; continue; fi; \
		[ -x $$folder/bin/python ] || $(PYTHON) -m venv $$folder; \
		cmp -s $$lock $$folder/installed.txt || { echo "installing $$lock" >&2; \
			$$folder/bin/python -m pip install --quiet -r $$lock; cp $$lock $$folder/installed.txt; }; done

bench: setup  ## List the benchmarks; NAME=default_audio_wer runs one
	@$(PYTHON) -m benchmarks $(NAME)

clean:  ## Remove everything that was made here but .venv: data, models, reports, caches, workspaces
	@rm -rf .work .state data models dist results/*/report.html results/*/hypotheses.jsonl \
		results/*/metrics.json results/*/training_rejected.jsonl .dvc/cache .dvc/tmp \
		.pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
