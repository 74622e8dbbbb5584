# make                build/heddle                make check   all tests and the layer rules
# make demo           set-up, then the main job   make test    set-up, then make check
# make SAN=address,undefined check    a sanitizer build in its own folder
# make WERROR=1       warnings are errors         make V=1     shows commands
# make lint           clang-tidy, cppcheck        make install PREFIX=/usr/local
# make fuzz FUZZ_SECONDS=600          each fuzz target for that long (clang)

PROG    = heddle
VERSION = 0.1.0
PREFIX  = /usr/local
PKGS    = libcjson libuv igraph sqlite3 yaml-0.1 libcurl
B       = build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
comma  := ,

CFLAGS ?= -O2 -g
WARN    = -Wall -Wextra -Wshadow -Wundef -Wvla -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(B) $(WARN) $(if $(WERROR),-Werror) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) \
	$(shell pkg-config --cflags $(PKGS)) -DHEDDLE_VERSION='"$(VERSION)"' $(CFLAGS)
# libcurl is loaded when it is needed (executor/http.c).
LIBS    = $(shell pkg-config --libs $(filter-out libcurl,$(PKGS))) -lpthread -ldl -lm

# One subject per line: this is the table of contents.
UTIL = \
	util/arena.c \
	util/buf.c \
	util/clock.c \
	util/err.c \
	util/fs.c \
	util/git.c \
	util/hash.c \
	util/heap.c \
	util/log.c \
	util/map.c \
	util/process.c \
	util/signals.c \
	util/text.c \
	util/xalloc.c \
	util/yscalar.c \
	util/ytree.c

GRAPH = \
	graph/artifacts.c \
	graph/dag.c \
	graph/glob.c \
	graph/graph.c \
	graph/groups.c \
	graph/hold.c \
	graph/json.c \
	graph/kind.c \
	graph/lint.c \
	graph/manifest.c \
	graph/manifest_node.c \
	graph/plan.c \
	graph/plan_critical.c \
	graph/plan_sources.c \
	graph/plan_time.c \
	graph/ready.c \
	graph/scan.c \
	graph/scan_input.c \
	graph/scan_token.c \
	graph/selector.c \
	graph/selector_eval.c \
	graph/selector_jinja.c \
	graph/selector_methods.c \
	graph/selector_methods_config.c \
	graph/selector_methods_kind.c \
	graph/selector_methods_name.c \
	graph/selector_methods_path.c \
	graph/selector_yaml.c \
	graph/set.c \
	graph/state.c \
	graph/state_contract.c \
	graph/state_macros.c \
	graph/state_note.c \
	graph/state_parts.c

# The Python side of the worker, inside the program.
WORKER = \
	executor/dbt_worker/__init__.py \
	executor/dbt_worker/backends.py \
	executor/dbt_worker/batches.py \
	executor/dbt_worker/cancel.py \
	executor/dbt_worker/ephemeral.py \
	executor/dbt_worker/faults.py \
	executor/dbt_worker/main.py \
	executor/dbt_worker/results.py \
	executor/dbt_worker/second_try.py \
	executor/dbt_worker/session.py \
	executor/dbt_worker/task.py \
	executor/dbt_worker/wire.py

EXECUTOR = \
	executor/board.c \
	executor/child.c \
	executor/classify.c \
	executor/classify_rules.c \
	executor/config.c \
	executor/config_notify.c \
	executor/config_read.c \
	executor/events.c \
	executor/history.c \
	executor/history_db.c \
	executor/history_grid.c \
	executor/history_median.c \
	executor/history_read.c \
	executor/history_stats.c \
	executor/history_write.c \
	executor/http.c \
	executor/journal.c \
	executor/journal_read.c \
	executor/lock.c \
	executor/notify.c \
	executor/notify_body.c \
	executor/pool.c \
	executor/proc_guard.c \
	executor/proc_posix.c \
	executor/proc_spawn.c \
	executor/progress.c \
	executor/python.c \
	executor/report.c \
	executor/result.c \
	executor/results.c \
	executor/retry.c \
	executor/runner_cli.c \
	executor/runner_dry.c \
	executor/runner_shell.c \
	executor/runner_worker.c \
	executor/runner_worker_run.c \
	executor/schedule.c \
	executor/schedule_end.c \
	executor/schedule_stop.c \
	executor/screen.c \
	executor/sources.c \
	executor/stale.c \
	executor/task.c \
	executor/template.c \
	executor/transient.c \
	executor/weights.c \
	executor/worker_message.c \
	executor/worker_process.c

EXPORTERS = \
	exporters/airflow.c \
	exporters/airflow_cosmos.c \
	exporters/airflow_groups.c \
	exporters/airflow_head.c \
	exporters/airflow_layers.c \
	exporters/airflow_tasks.c \
	exporters/airflow_text.c \
	exporters/argo.c \
	exporters/argv.c \
	exporters/bundle.c \
	exporters/columns.c \
	exporters/cron.c \
	exporters/dagster.c \
	exporters/dagster_about.c \
	exporters/dagster_functions.c \
	exporters/dagster_head.c \
	exporters/dagster_homes.c \
	exporters/dagster_keys.c \
	exporters/dagster_project.c \
	exporters/dagster_rows.c \
	exporters/dot.c \
	exporters/emit.c \
	exporters/folders.c \
	exporters/github.c \
	exporters/graphml.c \
	exporters/html.c \
	exporters/ids.c \
	exporters/json.c \
	exporters/k8s.c \
	exporters/kestra.c \
	exporters/kubernetes.c \
	exporters/layers.c \
	exporters/layout.c \
	exporters/lineage_run.c \
	exporters/mage.c \
	exporters/mermaid.c \
	exporters/node_docs.c \
	exporters/part_select.c \
	exporters/parts.c \
	exporters/openlineage.c \
	exporters/picture.c \
	exporters/picture_colour.c \
	exporters/plan_json.c \
	exporters/policy.c \
	exporters/prefect.c \
	exporters/pycall.c \
	exporters/pydbt.c \
	exporters/registry.c \
	exporters/rows.c \
	exporters/selects.c \
	exporters/stamp.c \
	exporters/steps.c \
	exporters/steps_order.c \
	exporters/steps_parts.c \
	exporters/steps_select.c \
	exporters/svg.c \
	exporters/yaml_head.c

CLI = \
	cli/backend.c \
	cli/backend_cli.c \
	cli/backend_shell.c \
	cli/backend_worker.c \
	cli/changes.c \
	cli/cmd_config.c \
	cli/cmd_diff.c \
	cli/cmd_doctor.c \
	cli/cmd_explain_error.c \
	cli/cmd_export.c \
	cli/cmd_help.c \
	cli/cmd_history.c \
	cli/cmd_hooks.c \
	cli/cmd_lint.c \
	cli/cmd_ls.c \
	cli/cmd_plan.c \
	cli/cmd_report.c \
	cli/cmd_retry.c \
	cli/cmd_run.c \
	cli/cmd_table.c \
	cli/connection.c \
	cli/dbt_opts.c \
	cli/dbt_words.c \
	cli/diff_collect.c \
	cli/diff_report.c \
	cli/export_check.c \
	cli/export_folder.c \
	cli/export_help.c \
	cli/export_options.c \
	cli/history_file.c \
	cli/ls_json.c \
	cli/main.c \
	cli/offline.c \
	cli/opts.c \
	cli/policies.c \
	cli/post_events.c \
	cli/project.c \
	cli/project_files.c \
	cli/record.c \
	cli/record_dbt.c \
	cli/record_restore.c \
	cli/resume.c \
	cli/run.c \
	cli/run_args.c \
	cli/run_history.c \
	cli/run_hooks.c \
	cli/run_nodes.c \
	cli/run_notify.c \
	cli/run_outcome.c \
	cli/run_resume.c \
	cli/run_setup.c \
	cli/run_sources.c \
	cli/select_opts.c \
	cli/selection.c \
	cli/table.c \
	cli/task_opts.c \
	cli/warn_errors.c \
	cli/warn_rules.c

TESTS = \
	tests/cli/test_history_cmd.c \
	tests/cli/test_opts.c \
	tests/cli/test_resume.c \
	tests/executor/test_board.c \
	tests/executor/test_classify.c \
	tests/executor/test_config.c \
	tests/executor/test_events.c \
	tests/executor/test_history.c \
	tests/executor/test_history_faults.c \
	tests/executor/test_journal.c \
	tests/executor/test_lock.c \
	tests/executor/test_notify.c \
	tests/executor/test_pool.c \
	tests/executor/test_proc.c \
	tests/executor/test_python.c \
	tests/executor/test_report.c \
	tests/executor/test_retry.c \
	tests/executor/test_runner_cli.c \
	tests/executor/test_runner_shell.c \
	tests/executor/test_runner_worker.c \
	tests/executor/test_schedule.c \
	tests/executor/test_schedule_stop.c \
	tests/executor/test_stale.c \
	tests/executor/test_task.c \
	tests/executor/test_template.c \
	tests/executor/test_weights.c \
	tests/exporters/test_argv.c \
	tests/exporters/test_cron.c \
	tests/exporters/test_emit.c \
	tests/exporters/test_ids.c \
	tests/exporters/test_layout.c \
	tests/exporters/test_lineage_run.c \
	tests/exporters/test_parts.c \
	tests/exporters/test_picture.c \
	tests/exporters/test_steps.c \
	tests/graph/test_dag.c \
	tests/graph/test_glob.c \
	tests/graph/test_json.c \
	tests/graph/test_lint.c \
	tests/graph/test_manifest.c \
	tests/graph/test_plan.c \
	tests/graph/test_scan.c \
	tests/graph/test_selector.c \
	tests/graph/test_selector_eval.c \
	tests/graph/test_selector_methods.c \
	tests/graph/test_selector_random.c \
	tests/graph/test_selector_yaml.c \
	tests/graph/test_set.c \
	tests/graph/test_state.c \
	tests/util/test_git.c \
	tests/util/test_process.c \
	tests/util/test_util.c \
	tests/util/test_ytree.c

# Fuzz targets (tests/fuzz/fuzz.h): `make check` replays their corpus, `make fuzz` looks for more.
FUZZ = \
	tests/fuzz/fuzz_manifest.c \
	tests/fuzz/fuzz_scan.c \
	tests/fuzz/fuzz_selector.c \
	tests/fuzz/fuzz_selectors_yml.c

# Whole-program tests, run after the unit tests by tests/run.sh: those that take long first, so that
# no processor is idle while the last one ends.
SCRIPTS = \
	tests/cli/parity.py \
	tests/cli/retry.py \
	tests/cli/freshness.py \
	tests/cli/signals.py \
	tests/cli/faults.py \
	tests/cli/resume.py \
	tests/cli/kill_short.py \
	tests/cli/export_run.py \
	tests/cli/hooks.py \
	tests/cli/board.py \
	tests/cli/bad_project.py \
	tests/cli/history.py \
	tests/cli/select_random.py \
	tests/cli/selectors_random.py \
	tests/cli/state_random.py \
	tests/cli/bad_input.sh \
	tests/cli/config.sh \
	tests/cli/conformance.sh \
	tests/cli/diff.sh \
	tests/cli/export.sh \
	tests/cli/hostile.py \
	tests/cli/lint.sh \
	tests/cli/notify.py \
	tests/cli/openlineage.py \
	tests/cli/options.py \
	tests/cli/renamed.sh \
	tests/cli/runner_cli.sh \
	tests/cli/secrets.py \
	tests/cli/select.sh \
	tests/cli/shell.sh \
	tests/executor/makespan.sh \
	tests/exporters/page.sh \
	tests/exporters/run_dbt.sh \
	tests/golden/run.sh

obj = $(patsubst %.c,$(B)/%.o,$(1))
U   = $(B)/libutil.a
G   = $(B)/libgraph.a
X   = $(B)/libexecutor.a
E   = $(B)/libexporters.a
link = $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS)
CMOCKA = $(shell pkg-config --libs cmocka)

all: check-libs $(B)/$(PROG)

$(U): $(call obj,$(UTIL))
$(G): $(call obj,$(GRAPH))
$(X): $(call obj,$(EXECUTOR))
$(E): $(call obj,$(EXPORTERS))
$(B)/%.a: ; mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^
$(B)/%.o: %.c | check-libs ; mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# The worker's Python files, each behind a line `NAME BYTES`, and the pages of report and lineage
# as bytes of an array.
$(B)/executor/worker_process.o: $(B)/executor/dbt_worker.inc
$(B)/executor/report.o: $(B)/executor/report.inc
$(B)/exporters/html.o: $(patsubst %,$(B)/exporters/html/%.inc,\
	controls graph layout page pane stage style)
bytes = od -An -v -tx1 | sed 's/ \(..\)/0x\1,/g'
embed = mkdir -p $(@D) && cat $< | $(bytes) >$@
$(B)/executor/dbt_worker.inc: $(WORKER)
	mkdir -p $(@D) && for file in $^; do \
		echo $$(basename $$file .py) $$(wc -c <$$file) && cat $$file; done | $(bytes) >$@
$(B)/%.inc: %.html ; $(embed)
$(B)/%.inc: %.css ; $(embed)
$(B)/%.inc: %.js ; $(embed)
$(B)/$(PROG): $(call obj,$(CLI)) $(E) $(X) $(G) $(U) ; $(call link)

# A layer's tests link only that layer and the ones below it.
$(B)/tests/util/%:      $(B)/tests/util/%.o $(U)                ; $(call link,$(CMOCKA))
$(B)/tests/graph/%:     $(B)/tests/graph/%.o $(G) $(U)          ; $(call link,$(CMOCKA))
$(B)/tests/executor/%:  $(B)/tests/executor/%.o $(X) $(G) $(U)  ; $(call link,$(CMOCKA))
$(B)/tests/exporters/%: $(B)/tests/exporters/%.o $(E) $(G) $(U) ; $(call link,$(CMOCKA))
$(B)/tests/cli/%:       $(B)/tests/cli/%.o $(filter-out $(B)/cli/main.o,$(call obj,$(CLI))) $(E) $(X) $(G) $(U) ; $(call link,$(CMOCKA))

# Benchmarks of single parts; bench/run and bench/load are for whole programs.
BENCH = $(B)/bench/makespan $(B)/bench/throughput
$(B)/bench/%:           $(B)/bench/%.o $(X) $(G) $(U)           ; $(call link,$(CMOCKA))
$(B)/bench/makespan: $(addprefix $(B)/tests/,tiny.o executor/sim_pool.o)
$(B)/bench/throughput: $(B)/tests/tiny.o
bench: $(BENCH)

# Helpers that several tests share.
$(B)/tests/cli/test_resume: $(B)/tests/tiny.o
$(B)/tests/graph/test_plan: $(B)/tests/tiny.o
$(addprefix $(B)/tests/graph/test_selector_,eval random): $(B)/tests/graph/lines.o
$(B)/tests/exporters/test_parts: $(B)/tests/tiny.o
$(B)/tests/executor/test_board: $(B)/tests/tiny.o
$(B)/tests/executor/test_pool: $(addprefix $(B)/tests/,tiny.o executor/fake_runner.o)
$(B)/tests/executor/test_journal: $(B)/tests/tiny.o
$(B)/tests/executor/test_retry: $(B)/tests/tiny.o
$(addprefix $(B)/tests/executor/test_,schedule schedule_stop): $(B)/tests/executor/one_run.o
$(addprefix $(B)/tests/executor/test_,schedule schedule_stop stale): $(addprefix $(B)/tests/,tiny.o executor/fake_runner.o executor/sim_pool.o)
# A fuzz target may reach into any layer. It is linked twice: with the corpus, or with libFuzzer.
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(E) $(X) $(G) $(U) ; $(call link)
$(B)/tests/fuzz/live_%: $(B)/tests/fuzz/fuzz_%.o $(E) $(X) $(G) $(U) ; $(call link,-fsanitize=fuzzer)

# Every missing library by name, with the package that has it.
check-libs:
	@scripts/check_libs.sh $(PKGS)

# As many compilers as there are processors, unless -j was given.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))

# The sample shop, built for real in build/demo, and its picture.
VENV = .venv/bin/python
demo:
	sh scripts/setup.sh build $(PKGS)
	$(MAKE) --no-print-directory $(PARALLEL) all
	sh scripts/demo.sh $(B)/$(PROG) $(VENV)

test:
	sh scripts/setup.sh test $(PKGS)
	$(MAKE) --no-print-directory $(PARALLEL) check HEDDLE_TEST_PYTHON=$(CURDIR)/$(VENV)
export HEDDLE_TEST_PYTHON

check: all $(TESTS:%.c=$(B)/%) $(FUZZ:%.c=$(B)/%) $(BENCH)
	sh tests/check_layers.sh
	sh tests/run.sh $(B) $(TESTS:%.c=%) $(FUZZ:%.c=%) -- $(SCRIPTS)

FUZZ_SECONDS = 60
fuzz:
	$(MAKE) --no-print-directory B=build-fuzz CC=clang SAN=address,undefined,fuzzer-no-link live
	for t in $(FUZZ:tests/fuzz/fuzz_%.c=%); do sh tests/fuzz/run.sh build-fuzz $$t $(FUZZ_SECONDS) || exit 1; done
live: $(FUZZ:tests/fuzz/fuzz_%.c=$(B)/tests/fuzz/live_%)

# Writes the expected exports anew; look at the difference before you commit it.
golden: all
	RENEW=1 HEDDLE=$(CURDIR)/$(B)/$(PROG) sh tests/golden/run.sh

SOURCES = $(UTIL) $(GRAPH) $(EXECUTOR) $(EXPORTERS) $(CLI)
lint: all
	sh tests/check_layers.sh
	cppcheck -q --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem -I. -I$(B) -DHEDDLE_VERSION='""' $(SOURCES)
	printf '%s\n' $(SOURCES) | xargs -P2 -n4 sh -c 'clang-tidy --quiet "$$@" -- $(filter-out -D%,$(ALL_CFLAGS)) \
		-D_GNU_SOURCE -DHEDDLE_VERSION=\"\" 2>/dev/null' sh
	command -v shellcheck >/dev/null && shellcheck -S warning scripts/*.sh .ci/run tests/*.sh tests/*/*.sh

install: all
	install -D $(B)/$(PROG) $(DESTDIR)$(PREFIX)/bin/$(PROG)

clean: ; rm -rf build build-*

.PHONY: all bench check check-libs demo golden test lint install clean fuzz live
.SECONDARY:
$(V).SILENT:
-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)
