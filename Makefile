# The tasks of dialadmin. Each makes the virtual environment when it is missing.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000

.PHONY: install demo test lint format bench run help

help: ## list the tasks
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dialadmin needs Python 3.11 or later; say which with: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

install: .venv/installed ## make .venv with everything in it

demo: install ## serve the dashboard with an embedded Cognito; RESET=1 starts over, PORT=8000
	$(BIN)/python manage.py demo --port $(PORT) $(if $(RESET),--reset)

test: install ## run the whole suite
	$(BIN)/python -m pytest --numprocesses 2

lint: install ## ruff, mypy, djlint, migrations, deployment checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python -m tests.environment makemigrations --check --dry-run
	$(BIN)/python -m tests.environment check --deploy --fail-level WARNING

format: install ## let ruff format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## print the benchmarks as ratios
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m tests.benchmarks

run: install ## serve as in production (needs the environment of README)
	$(BIN)/python manage.py check --deploy --fail-level ERROR
	$(BIN)/python manage.py migrate --no-input
	$(BIN)/python manage.py collectstatic --no-input
	$(BIN)/gunicorn dialadmin.wsgi:application --bind 127.0.0.1:$(PORT) --workers 2 --threads 4 --access-logfile -
