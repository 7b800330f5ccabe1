# The commands of the project; CI calls the same ones. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Newer than its prerequisites where the set-up is done: then nothing is installed again.
READY := $(VENV)/ready
# Each in an environment of its own: what they need excludes each other, and what we need.
PEERS := xoscar autogen langgraph llamaindex openai_agents

GOAL ?= How do I find the three largest numbers of a list in Python without sorting all of it? \
Show a program that does it.
MODEL ?= llama:smollm2-135m

.PHONY: help setup demo test bench bench-peers trial simulate chaos mutants lint protos constraints clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Create .venv with everything in it (the other commands do it by themselves)

demo: $(READY) ## Answer a question from examples/knowledge, on embedded defaults
	@$(BIN)/fleetmind models pull smollm2-135m
	@env -u FLEETMIND_REDIS_URL -u REDIS_URL -u RAY_ADDRESS \
	  $(BIN)/fleetmind run "$(GOAL)" --knowledge examples/knowledge --model $(MODEL)

# A file's tests stay in one process, with what they share; files are handed out as they lie.
test: $(READY) ## Run all tests: JOBS=processes
	@$(BIN)/python -m pytest --numprocesses $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder

bench: $(READY) ## Measure, print side by side and write build/bench.json
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) \
	  $(if $(CLAIMS),--claims "$(CLAIMS)") $(if $(REPLAY),--replay "$(REPLAY)") \
	  $(if $(INTENTS),--intents "$(INTENTS)") $(if $(VERBOSE),--verbose)

bench-peers: $(PEERS:%=build/peers/%/ready) ## Install the peers that `make bench` runs beside us

trial: $(READY) ## Ask a model about Python's asyncio, grade what it says: MODEL=URI ONLY=3,5 BARE=1
	@$(BIN)/python -m benchmarks.trial --model $(MODEL) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(REGRADE),--regrade) $(if $(BARE),--bare)

chaos: $(READY) ## Kill, stop and cut off real processes: ONLY=part of a name RUNS=N PARALLEL=clusters
	@$(BIN)/python -m tests.chaos $(if $(ONLY),--only "$(ONLY)") $(if $(RUNS),--runs $(RUNS)) \
	  $(if $(PARALLEL),--parallel $(PARALLEL)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(RESUME),--resume)

simulate: $(READY) ## Run seeded simulations: SEEDS=N SEED=first JOBS=processes WORK=cluster|knowledge|state|calls
	@$(BIN)/python -m tests.simulation $(if $(WORK),--work $(WORK)) --seeds $(or $(SEEDS),200) --seed $(or $(SEED),0) \
	  --jobs $(or $(JOBS),1)

mutants: $(READY) ## Show that the simulator catches the bugs kept in tests/simulation/mutants
	@$(BIN)/python -m tests.simulation.mutants

lint: $(READY) ## Check style, types, layers and generated code
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(BIN)/python .ci/generate_protos.py --check

protos: $(READY) ## Generate code from protos/v1/*.proto
	@$(BIN)/python .ci/generate_protos.py

constraints: | $(BIN)/python ## Resolve constraints.txt anew from pyproject.toml
	@mkdir -p build
	@$(BIN)/python .ci/resolve_constraints.py > build/constraints.txt
	@mv build/constraints.txt constraints.txt

clean: ## Remove everything the commands made
	@rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

build/peers/%/ready: benchmarks/peers/%.txt | $(BIN)/python
	@echo "Installing $*."
	@$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# The constraints hold for what builds the project as well, which -c does not reach.
$(READY): pyproject.toml constraints.txt .ci/fetch_bubblewrap.sh | $(BIN)/python
	@echo "Setting up $(VENV): some minutes the first time."
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[local,dev]'
	@.ci/fetch_bubblewrap.sh $(VENV)/sandbox
	@touch $@
