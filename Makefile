# podline's commands; `make` alone lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PORT ?= 8080
PYTEST_ARGS ?=
SWEEP_ARGS ?=
STUDY_ARGS ?=
BENCH_ARGS ?=

# The first Python of 3.11 to 3.13 that runs; `make PYTHON=...` names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	2>/dev/null && echo $$python && break; done)

# --- the environment of everything that runs here, Airflow first of all ---

export PATH := $(BIN):$(PATH)
export NO_PROXY := 127.0.0.1,localhost,$(NO_PROXY)
export AIRFLOW_HOME := $(CURDIR)/.airflow
export AIRFLOW__CORE__DAGS_FOLDER := $(CURDIR)/dags
export AIRFLOW__CORE__PLUGINS_FOLDER := $(CURDIR)/plugins
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION := False
# For a machine of two to four cores: 32 workers and a second's sleep are the defaults.
export AIRFLOW__CORE__PARALLELISM := 4
export AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME := 0.1
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS := admin:admin
export AIRFLOW__API__HOST := 127.0.0.1
export AIRFLOW__API__PORT := $(PORT)
export AIRFLOW__API__BASE_URL := http://localhost:$(PORT)
# Nothing about this machine is sent to anyone.
export AIRFLOW__METRICS__STATSD_ON := False
export DO_NOT_TRACK := 1
export SCARF_ANALYTICS := false

##@ Use it

.PHONY: demo
demo: .airflow/.migrated data ## Run the notebook household_power as a pipeline, and show where the time went
	@chmod 700 .airflow
	$(BIN)/podline store exec -- airflow dags test household_power
	$(BIN)/podline runs household_power
	@echo
	@echo "Next: make up            Airflow's web UI: trigger household_power with other parameters"
	@echo "      podline show NOTEBOOK, podline run NOTEBOOK   your own notebook, without Airflow"
	@echo "      (podline is in $(VENV)/bin)"

.PHONY: edge-demo
edge-demo: install ## Train, serve at an edge, see the forecasts drift, and train anew, in two minutes or three
	$(BIN)/python -m podline.iot.demo

DAG ?=
CONF ?=

.PHONY: dag-test
dag-test: .airflow/.migrated ## Run a DAG here at once, with a store (DAG=NAME, CONF='{"rows": 1000}')
	$(if $(DAG),,$(error name a DAG, such as make dag-test DAG=household_power))
	$(BIN)/podline store exec -- airflow dags test $(DAG) $(if $(CONF),--conf '$(CONF)')

.PHONY: up
up: install data ## Run the store and Airflow in the foreground (PORT=8080), until Ctrl-C
	$(BIN)/podline up

.airflow/.migrated: $(VENV)/.installed
	@mkdir -p .airflow && chmod 700 .airflow
	$(BIN)/airflow db migrate >/dev/null
	@touch $@

.PHONY: data
data: install ## Put the notebooks' data sets into the store
	$(BIN)/podline data put household_power
	$(BIN)/podline data put smartwatch_activity

##@ On Kubernetes

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
BASE_IMAGE ?= python:3.13-slim-trixie
# Such as registry.example.com/team/
IMAGE_PREFIX ?=
BUILDER ?= $(shell for builder in buildah podman docker; do \
	command -v $$builder >/dev/null && echo $$builder && break; done)

IMAGES = $(foreach name,stage stage-tensorflow store uploads edge airflow postgres, \
	$(IMAGE_PREFIX)podline-$(name):$(VERSION))

.PHONY: images
images: ## Build all images: of stages, store, edges, Airflow … (BUILDER=docker, BASE_IMAGE=..., IMAGE_PREFIX=...)
	$(BUILD) -f images/stage/Dockerfile --target base -t $(word 1,$(IMAGES)) \
		$$($(PYTHON) images/stage/labels.py base) .
	$(BUILD) -f images/stage/Dockerfile --target tensorflow -t $(word 2,$(IMAGES)) \
		$$($(PYTHON) images/stage/labels.py tensorflow) .
	$(BUILD) -f images/store/Dockerfile -t $(word 3,$(IMAGES)) .
	$(BUILD) -f images/stage/Dockerfile --target uploads -t $(word 4,$(IMAGES)) \
		$$($(PYTHON) images/stage/labels.py uploads) .
	$(BUILD) -f images/edge/Dockerfile -t $(word 5,$(IMAGES)) .
	$(BUILD) -f images/airflow/Dockerfile -t $(word 6,$(IMAGES)) .
	$(BUILD) -f images/postgres/Dockerfile -t $(word 7,$(IMAGES)) .

.PHONY: image-names
image-names: ## Print the images' names, for the command that loads or pushes them
	@echo $(IMAGES)

# The namespaces of stages and store, and of Airflow's own parts.
NAMESPACE ?= podline
AIRFLOW_NAMESPACE ?= airflow
# Gives a manifest these names, and the images theirs.
FILL = sed -e 's|image: podline|image: $(IMAGE_PREFIX)podline|' \
	-e 's|\(_IMAGE_.*: \)podline|\1$(IMAGE_PREFIX)podline|' \
	-e 's|^  name: podline$$|  name: $(NAMESPACE)|' -e 's|__NAMESPACE: podline|__NAMESPACE: $(NAMESPACE)|' \
	-e 's|^  name: airflow$$|  name: $(AIRFLOW_NAMESPACE)|' \
	-e 's|namespace: airflow$$|namespace: $(AIRFLOW_NAMESPACE)|'
IN_STAGES = kubectl --namespace $(NAMESPACE)
IN_AIRFLOW = kubectl --namespace $(AIRFLOW_NAMESPACE)

.PHONY: cluster-store
cluster-store: install ## Run the store in the cluster of KUBECONFIG, with keys made at random (NAMESPACE=podline)
	@$(FILL) helm-values/namespace.yaml | kubectl apply -f -
	$(IN_STAGES) apply -f helm-values/network-policies.yaml
	$(IN_STAGES) get secret object-store >/dev/null 2>&1 || \
		$(BIN)/podline store secrets --namespace $(NAMESPACE) | kubectl create -f -
	@$(FILL) helm-values/object-store.yaml | $(IN_STAGES) apply -f -
	$(IN_STAGES) rollout status statefulset/object-store --timeout 180s

# Airflow's official chart, such as apache-airflow/airflow or a folder; none: plain manifests.
CHART ?=

.PHONY: up-kubernetes
up-kubernetes: cluster-store ## Run Airflow, its database and the store in the cluster of KUBECONFIG (CHART=...)
	@$(FILL) helm-values/airflow-namespace.yaml | kubectl apply -f -
	@$(FILL) helm-values/airflow-rbac.yaml | $(IN_STAGES) apply -f -
	$(IN_AIRFLOW) apply -f helm-values/airflow-executor-rbac.yaml
	$(IN_AIRFLOW) get secret airflow-keys >/dev/null 2>&1 || \
		$(BIN)/python helm-values/airflow_keys.py | $(IN_AIRFLOW) create -f -
	$(BIN)/podline store secrets --namespace $(NAMESPACE) --copy-to $(AIRFLOW_NAMESPACE) | kubectl apply -f -
	@$(FILL) helm-values/postgres.yaml | $(IN_AIRFLOW) apply -f -
	$(IN_AIRFLOW) rollout status statefulset/postgres --timeout 180s
	$(if $(CHART),$(UP_CHART),$(UP_PLAIN))
	$(CLUSTERS_STORE) && $(BIN)/podline data put household_power
	$(UNTIL_DAG)
	@$(CLUSTERS_STORE) && model=$$($(EDGES_MODEL)) && \
	if $(BIN)/podline models show "$${model%@*}" "$${model#*@}" >/dev/null 2>&1; \
	then $(UP_EDGES); else echo "No edge: nothing is published as $$model yet."; fi
	@echo
	@echo "Airflow: kubectl --namespace $(AIRFLOW_NAMESPACE) port-forward service/airflow-api-server 8080"
	@echo "  then http://localhost:8080 as admin; the password:"
	@echo "  kubectl --namespace $(AIRFLOW_NAMESPACE) get secret airflow-keys -o jsonpath='{.data.passwords}' | base64 -d"

# Lends a command the store of the cluster.
CLUSTERS_STORE = variables=$$($(BIN)/podline store env --cluster --namespace $(NAMESPACE)) && \
	eval "$$variables"

# A part reads its settings and its Secrets when it starts: an annotation that says which starts it anew.
AIRFLOW_PLAIN = settings=$$({ $(FILL) helm-values/airflow-plain.yaml; $(IN_AIRFLOW) get secret \
	airflow-keys airflow-store -o 'jsonpath={.items[*].metadata.resourceVersion}'; } | cksum) && \
	$(FILL) -e "s|settings: unknown|settings: \"$$settings\"|" helm-values/airflow-plain.yaml
PARTS = api-server scheduler dag-processor triggerer

define UP_PLAIN
$(IN_AIRFLOW) delete job airflow-migration --ignore-not-found
@$(FILL) helm-values/airflow-migration.yaml | $(IN_AIRFLOW) apply -f -
$(IN_AIRFLOW) wait job/airflow-migration --for=condition=complete --timeout 300s
@$(AIRFLOW_PLAIN) | $(IN_AIRFLOW) apply -f -
for part in $(PARTS); do $(IN_AIRFLOW) rollout status deployment/airflow-$$part --timeout 300s || exit; done
endef

# The image of a job cannot be changed, and the last upgrade's is there for some minutes.
define UP_CHART
$(IN_AIRFLOW) delete job airflow-run-airflow-migrations --ignore-not-found
helm upgrade --install airflow $(CHART) --namespace $(AIRFLOW_NAMESPACE) \
	--values helm-values/airflow.yaml --set images.airflow.repository=$(IMAGE_PREFIX)podline-airflow \
	--set config.podline.namespace=$(NAMESPACE) \
	--set config.podline.image_base=$(word 1,$(IMAGES)) \
	--set config.podline.image_tensorflow=$(word 2,$(IMAGES)) --wait --timeout 10m
endef

# Who comes next triggers it: the DAG processor finds it some seconds after it has started.
UNTIL_DAG = $(IN_AIRFLOW) exec deployment/airflow-api-server -- timeout 180 sh -c \
	'until airflow dags details household_power >/dev/null 2>&1; do sleep 1; done' || \
	echo "There is no DAG household_power after 3 minutes: deployment/airflow-dag-processor may say why."

# What the cluster's edges serve.
EDGE_MODEL ?= household_power@champion

.PHONY: cluster-edge
cluster-edge: cluster-store ## Run two edges in the cluster of KUBECONFIG (EDGE_MODEL=household_power@champion)
	@model=$(EDGE_MODEL); $(UP_EDGES)

# What edges that are there serve goes on being served.
EDGES_MODEL = $(IN_STAGES) get deployment edge \
	-o 'jsonpath={.spec.template.spec.containers[0].args[0]}' 2>/dev/null || echo $(EDGE_MODEL)
UP_EDGES = { $(IN_STAGES) get secret edge-token >/dev/null 2>&1 || \
	$(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(30), end="")' | \
	$(IN_STAGES) create secret generic edge-token --from-file=PODLINE_EDGE_TOKEN=/dev/stdin; } && \
	$(FILL) -e "s|household_power@champion|$$model|" helm-values/edge.yaml | $(IN_STAGES) apply -f - && \
	$(IN_STAGES) rollout status deployment/edge --timeout 180s

# Puts images into the cluster, such as LOAD="kind load docker-image"; none: they are there, or
# the cluster pulls them.
LOAD ?=
# The settings of a command whose stages are pods beside the cluster's store.
AS_PODS = AIRFLOW__PODLINE__BACKEND=kubernetes AIRFLOW__PODLINE__NAMESPACE=$(NAMESPACE) \
	AIRFLOW__PODLINE__STORE_SECRET=object-store-connection \
	AIRFLOW__PODLINE__IMAGE_BASE=$(word 1,$(IMAGES)) AIRFLOW__PODLINE__IMAGE_TENSORFLOW=$(word 2,$(IMAGES))

.PHONY: cluster-demo
cluster-demo: images .airflow/.migrated ## Run household_power as pods of the cluster of KUBECONFIG
	$(if $(LOAD),$(LOAD) $(IMAGES))
	$(MAKE) cluster-store
	$(CLUSTERS_STORE) && $(BIN)/podline data put household_power && \
	$(AS_PODS) $(BIN)/airflow dags test household_power && \
	$(BIN)/podline runs household_power

.PHONY: cluster-edge-demo
cluster-edge-demo: images install ## Run edge-demo with stages and edges as pods of the cluster of KUBECONFIG
	$(if $(LOAD),$(LOAD) $(IMAGES))
	$(MAKE) cluster-store
	$(CLUSTERS_STORE) && $(AS_PODS) $(BIN)/python -m podline.iot.demo --cluster

# One time for all files, so that the same content makes the same image; zip knows none before 1980.
EPOCH = 1767225600
BUILD = @$(if $(filter docker,$(notdir $(BUILDER))),SOURCE_DATE_EPOCH=$(EPOCH),BUILDAH_LAYERS=true) \
	$(or $(BUILDER),$(error images need buildah, podman or docker: install one of them)) build \
	$(if $(filter docker,$(notdir $(BUILDER))),,--timestamp $(EPOCH)) \
	--build-arg BASE_IMAGE=$(BASE_IMAGE)

##@ Work on it

.PHONY: test
test: install-dev ## Run the tests, but the slow ones (PYTEST_ARGS="-k store -x" and the like)
	$(BIN)/python -m pytest -n auto -m "not slow and not faults and not jupyter and not deployment" $(PYTEST_ARGS)

.PHONY: test-all
test-all: install-dev ## Run all tests: the slow ones take half an hour more
	$(BIN)/python -m pytest -n auto -m "not faults and not jupyter and not deployment" $(PYTEST_ARGS)

.PHONY: faults
faults: install-dev ## Have each fault of docs/reliability.md happen in the cluster of KUBECONFIG (root, 45 min)
	$(BIN)/python -m pytest -n 0 -m faults $(PYTEST_ARGS)

.PHONY: test-product
test-product: install-dev ## Run podline's tests in a copy without the studies
	.ci/product

.PHONY: test-notebooks-ahead
test-notebooks-ahead: install-dev ## Run the notebooks of tests/notebooks as pods that are made ahead (KUBECONFIG)
	$(BIN)/python -m pytest -n auto -m notebooks_ahead $(PYTEST_ARGS)

.PHONY: test-deployment
test-deployment: install-dev ## Run household_power in an Airflow that make up-kubernetes brings up (KUBECONFIG, CHART=...)
	PODLINE_CHART=$(CHART) $(BIN)/python -m pytest -n 0 -m deployment $(PYTEST_ARGS)

.PHONY: test-jupyter
test-jupyter: install-dev jupyter-env ## Run the tests of the panel in JupyterLab and Notebook (Chromium)
	$(BIN)/python -m pytest -n 0 -m jupyter tests/podline_jupyter $(PYTEST_ARGS)

.PHONY: lint
lint: install-dev ## Check style, types, imports and notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/podline lint notebooks/*.ipynb

.PHONY: audit
audit: install-dev ## List licences, write SBOMs (build/sbom), look for known vulnerabilities (asks PyPI)
	$(BIN)/python -m docs.licences
	$(BIN)/python -m docs.sboms
	$(BIN)/python -m docs.advisories

.PHONY: audit-images
audit-images: install-dev ## SBOMs of the built images' Debian packages, and what Debian has mended (asks Debian)
	@BUILDER=$(or $(notdir $(BUILDER)),$(error images need buildah, podman or docker)) \
		$(BIN)/python -m docs.built_images $(IMAGES)

.PHONY: format
format: install-dev ## Mend the style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: bench-compile
bench-compile: install-dev ## Measure how long a notebook takes to become a DAG
	$(BIN)/python -m benchmarks.compile

.PHONY: bench-process
bench-process: install-dev ## Measure what the pipeline costs over running the notebook itself
	$(BIN)/python -m benchmarks.process

.PHONY: bench-preprocess
bench-preprocess: install-dev ## Measure two stages over 2 and 21 million rows, beside one plain process
	$(BIN)/python -m benchmarks.preprocess

.PHONY: bench-dump
bench-dump: install-dev ## Measure how long a stage writes 50,000 records that variables share
	$(BIN)/python -m benchmarks.dump

.PHONY: bench-images
bench-images: install-dev ## Measure how fast the images are built again, and started (needs KUBECONFIG)
	$(BIN)/python -m benchmarks.images

.PHONY: bench-cold-pull
bench-cold-pull: install-dev ## Measure a stage's start on a node without its image (KUBECONFIG, PODLINE_CLUSTER_CTL, REGISTRY)
	$(BIN)/python -m benchmarks.cold_pull --registry $(REGISTRY)

.PHONY: bench-pods
bench-pods: install-dev ## Measure a stage as a pod beside a bare pod and the stock operator (KUBECONFIG)
	$(BIN)/python -m benchmarks.pods

.PHONY: bench-ahead
bench-ahead: install-dev ## Measure what beginning stages ahead saves, beside the notebook in a pod (KUBECONFIG)
	$(BIN)/python -m benchmarks.ahead

.PHONY: bench-ahead-at-once
bench-ahead-at-once: install-dev ## Measure five runs at once, with stages begun ahead and without (KUBECONFIG)
	$(BIN)/python -m benchmarks.ahead_at_once

.PHONY: bench-scheduler
bench-scheduler: install-dev ## Measure a chain of stages as pods, scheduling included (KUBECONFIG)
	$(BIN)/python -m benchmarks.scheduler

.PHONY: bench-executors
bench-executors: install-dev ## Measure a stage under KubernetesExecutor and LocalExecutor (KUBECONFIG)
	$(BIN)/python -m benchmarks.executors $(BENCH_ARGS)

.PHONY: bench-fanout
bench-fanout: install-dev ## Measure fifty stages at once as pods (KUBECONFIG)
	$(BIN)/python -m benchmarks.fanout

.PHONY: bench-triggerer
bench-triggerer: install-dev ## Measure what deferred stages cost a triggerer (KUBECONFIG, PODLINE_CLUSTER_CTL)
	$(BIN)/python -m benchmarks.triggerer

.PHONY: bench-edge
bench-edge: install-dev ## Measure an edge's swaps and requests, beside MLServer (from PyPI)
	$(BIN)/python -m benchmarks.edge $(BENCH_ARGS)

.PHONY: bench-edge-batching
bench-edge-batching: install-dev ## Measure what one run for requests that come together is worth
	$(BIN)/python -m benchmarks.edge_batching $(BENCH_ARGS)

.PHONY: bench-recorder
bench-recorder: install-dev ## Measure what recording costs a try (pods too with KUBECONFIG), and its reader (Chromium)
	$(BIN)/python -m benchmarks.recorder

.PHONY: bench-jupyter
bench-jupyter: install-dev jupyter-env ## Measure badges, problems and typing in JupyterLab (Chromium)
	$(BIN)/python -m benchmarks.jupyter $(BENCH_ARGS)

.PHONY: sweep-quick sweep-full
sweep-quick: install-dev ## Run a small overhead study in the cluster of KUBECONFIG, and print it
	$(BIN)/python -m benchmarks.sweep quick $(SWEEP_ARGS)

sweep-full: install-dev ## Measure all that docs/overhead.md shows, and make it (about four hours)
	$(BIN)/python -m benchmarks.sweep full $(SWEEP_ARGS)

.PHONY: bench-upload
bench-upload: install-dev ## Measure clients over a slow link against what it allows (root, Linux)
	$(BIN)/python -m benchmarks.upload $(BENCH_ARGS)

.PHONY: vm-image
vm-image: build/vm/kernel ## Build the image of the virtual machine with a store (Debian's apt)
build/vm/kernel: images/vm/build.py images/vm/init plugins/podline/store/in_cluster.py | $(VENV)/.installed
	$(BIN)/python images/vm/build.py build/vm

.PHONY: upload-study-quick upload-study-full
upload-study-quick: install-dev vm-image ## Compare uploads to the cluster, a virtual machine and a bare server (half an hour)
	$(BIN)/python -m benchmarks.upload_study quick $(STUDY_ARGS)

upload-study-full: install-dev vm-image ## The same with all sizes, round trips and links, and make docs/uploads.md (about four hours)
	$(BIN)/python -m benchmarks.upload_study full $(STUDY_ARGS)

.PHONY: edge-study-quick edge-study-full
edge-study-quick: install-dev vm-image ## Measure updates of edges over slow links, and write docs/edge-study.md
	$(BIN)/python -m benchmarks.edge_study quick $(STUDY_ARGS)

edge-study-full: install-dev vm-image ## The same with all sizes, round trips and rates, for hours
	$(BIN)/python -m benchmarks.edge_study full $(STUDY_ARGS)

.PHONY: pictures
pictures: install-dev jupyter-env ## Take the pictures of docs/ anew, of runs of household_power (Chromium)
	$(BIN)/python -m docs.pictures
	$(BIN)/python -m docs.jupyter_picture

.PHONY: docs
docs: install-dev ## Make the documentation's site, in build/site
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

.PHONY: requirements
requirements: install-dev ## Resolve all requirements files anew
	$(RESOLVE) pyproject.toml -o requirements.txt
	$(RESOLVE) --group dev -c requirements.txt -o requirements-dev.txt
	$(RESOLVE_STAGE) --group stage-base -o images/stage/requirements-base.txt
	$(RESOLVE_STAGE) --group stage-tensorflow -o images/stage/requirements-tensorflow.txt
	$(RESOLVE_STAGE) --group stage-uploads -o images/stage/requirements-uploads.txt
	$(RESOLVE_STAGE) --group edge -o images/edge/requirements.txt
	$(RESOLVE_STAGE) --group airflow -o images/airflow/requirements.txt
	$(RESOLVE_STAGE) --group store -o images/store/requirements.txt
	$(RESOLVE) --group mlflow-server -o tests/support/requirements-mlflow.txt
	for one in $(JUPYTERS); do $(RESOLVE) tests/support/jupyter_envs/$$one.in -o tests/support/jupyter_envs/$$one.txt; done

# For every platform and Python, the same version of a package on each.
RESOLVE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--fork-strategy fewest --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make requirements"
RESOLVE_STAGE = $(subst 3.11,3.13,$(RESOLVE)) -c requirements.txt

##@ The virtual environment

.PHONY: install install-dev
install: $(VENV)/.installed ## Make .venv with what podline needs
install-dev: $(VENV)/.installed-dev ## The same, with the tools for tests and checks

# Compiled at once: without .pyc files Airflow takes 44 s to start, not 15.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode

$(VENV)/.installed: requirements.txt pyproject.toml $(VENV)/bin/uv
	@echo "Installing requirements.txt"
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt tests/support/requirements-mlflow.txt $(VENV)/.installed
	@echo "Installing requirements-dev.txt"
	@$(INSTALL) -r requirements-dev.txt
	@echo "Installing MLflow's server, which wants other versions, for the tests"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(VENV)/mlflow
	@$(BIN)/uv pip install --quiet --python $(VENV)/mlflow/bin/python --compile-bytecode \
		-r tests/support/requirements-mlflow.txt
	@touch $@

.PHONY: jupyter-env
JUPYTERS = lab-oldest lab-newest notebook
jupyter-env: $(JUPYTERS:%=build/jupyter/%/.installed) ## Make the environments of the panel's tests

build/jupyter/%/.installed: tests/support/jupyter_envs/%.txt $(shell find jupyter -type f -not -path '*/__pycache__/*') | $(VENV)/bin/uv
	@echo "Installing $*, for the panel"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python build/jupyter/$*
	@$(BIN)/uv pip install --quiet --python build/jupyter/$*/bin/python --compile-bytecode -r $<
	@$(BIN)/uv pip install --quiet --python build/jupyter/$*/bin/python --no-deps --reinstall ./jupyter
	@touch $@

# pip of a new environment may be missing too, hence ensurepip.
$(VENV)/bin/uv: | $(VENV)/bin/python
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		"$$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements-dev.txt)"
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "podline needs Python 3.11, 3.12 or 3.13, and finds none:" \
		"install one, or name it with make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON) ($$($(PYTHON) -V)); the first time takes some minutes."
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m virtualenv --quiet $(VENV) 2>/dev/null || { \
		rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment:" \
		"install its venv module (Debian, Ubuntu: apt-get install python3-venv)," \
		"or name another with make PYTHON=/path/to/python3.13" >&2; exit 1; }

##@ Start afresh

.PHONY: clean-airflow
clean-airflow: ## Forget Airflow's runs, logs and password (.airflow)
	rm -rf .airflow

.PHONY: clean-store
clean-store: ## Stop the embedded store and delete its data (.podline)
	-test ! -x $(BIN)/podline || $(BIN)/podline store stop
	rm -rf .podline

.PHONY: clean-venv
clean-venv: ## Delete the virtual environment and the tools' caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build plugins/*.egg-info

.PHONY: clean
clean: clean-store clean-airflow clean-venv ## All of these

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
