# Two commands are enough: `make run` and `make test`. Each target is a few lines; CI runs `make test`.
TARGET := $(or $(CARGO_TARGET_DIR),target)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
PACKAGE := holdfast-$(VERSION)-$(shell uname -m)-linux
TEST_BUILD := cargo build --workspace --bins --tests

.PHONY: help run test check chaos bench micro dist clean
.DEFAULT_GOAL := help

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 14

run: ## build and start three replicas here; flags by ARGS, such as ARGS=--once
	cargo build --workspace --bin holdfast
	exec $(TARGET)/debug/holdfast quickstart $(ARGS)

check: ## format, lints and documentation, without running anything
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

test: ## everything that must hold before a change goes in; installs the clients it needs
	tools/ci/install-clients.sh
	$(MAKE) check
	$(TEST_BUILD)
	cargo nextest run --workspace

chaos: ## the long runs: thousands of rounds, minutes of kills, gigabytes, hundreds of power cuts
	tools/ci/install-clients.sh
	$(TEST_BUILD)
	HOLDFAST_CHAOS=1 HOLDFAST_CUTS=300 cargo nextest run --workspace --profile chaos -E 'package(chaos-tests)'

bench: ## Holdfast beside docker-registry and nginx, into docs/benchmarks.md; a look with QUICK=1
	tools/ci/bench.sh $(if $(QUICK),--quick)

micro: ## what the hot paths cost by themselves; some of it by ARGS, such as ARGS=apply
	cargo bench --manifest-path chaos-tests/micro/Cargo.toml --target-dir $(TARGET)/micro -- $(ARGS)

dist: ## a tarball with the binary, a systemd unit, a sample configuration and the manual
	cargo build --release --workspace --bin holdfast
	rm -rf dist/$(PACKAGE)
	mkdir -p dist/$(PACKAGE)/docs
	cp $(TARGET)/release/holdfast node/dist/holdfast.service node/dist/holdfast.toml dist/$(PACKAGE)
	cp README.md CHANGELOG.md dist/$(PACKAGE)
	cp -r docs/operate docs/api.md dist/$(PACKAGE)/docs
	tar -C dist -czf dist/$(PACKAGE).tar.gz $(PACKAGE)
	@echo "dist/$(PACKAGE).tar.gz"

clean: ## forget what was built
	cargo clean
	rm -rf dist
