# Every command a person needs. `make` alone prints them.
SETUP := integration/setup
STEP := @$(SETUP)/step.sh
MAKEFLAGS += --no-print-directory
DEMO_OPTIONS = $(if $(KEEP),--keep) $(foreach o,PORT ENVOY WORKERS RATE,$(if $($o),--$(shell echo $o | tr A-Z a-z) $($o)))

.PHONY: help module envoy demo verify test soak bench outages lint clean kind-up kind-verify kind-drill kind-down

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

module: ## build the filter: target/meridian.wasm
	@$(SETUP)/module.sh

envoy: ## install the Envoys that the tests use, in target/envoy
	@$(SETUP)/envoy.sh

demo: module ## two regions on this machine, one of them lost (KEEP=1 leaves it running; PORT, ENVOY, WORKERS, RATE)
	@cargo build --quiet --locked -p meridian-integration --bins
	@cargo run --quiet --locked -p meridian-integration --bin demo -- $(DEMO_OPTIONS)

verify: module ## check the meshes of this machine against the list of assertions (ONLY=8,12)
	@cargo build --quiet --locked -p meridian-integration --bins
	@cargo run --quiet --locked -p meridian-integration --bin verify -- local $(if $(ONLY),--only $(ONLY))

test: ## all that must hold before a change is merged: lint, module, tests, tests in WebAssembly
	$(STEP) "lint" $(MAKE) lint
	$(STEP) "the module" $(MAKE) module
	$(STEP) "Istio's own code" $(SETUP)/istio-tests.sh
	$(STEP) "Kubernetes' own API server" $(SETUP)/apiserver.sh optional
	$(STEP) "tests" $(SETUP)/tests.sh
	$(STEP) "the core's tests in WebAssembly" $(SETUP)/wasm-tests.sh

soak: ## the tests that draw their cases, for as long as you like: MINUTES=10 or SEEDS, from seed FROM; CASES=10000 of each property
	$(STEP) "properties" env PROPTEST_CASES=$(or $(CASES),10000) cargo test --quiet --locked -p meridian-core --lib properties
	$(STEP) "simulated meshes" cargo test --quiet --locked -p meridian-core --test simulation soak -- --ignored --nocapture

bench: module ## measure beside an empty filter, Lua and native routes, into bench/RESULTS.md (QUICK=1: only a look)
	@cargo run --quiet --profile measure --locked -p meridian-bench -- $(if $(QUICK),--quick)

outages: module ## lose a region in front of Meridian and of other ways to route by region: bench/OUTAGES.md (OPTIONS="--only frozen")
	@cargo build --quiet --locked -p meridian-integration --bins
	@cargo run --quiet --locked -p meridian-bench --bin outages -- $(OPTIONS)

lint: ## formatting, clippy, documentation, shell scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace --locked
	$(SETUP)/scripts-lint.sh

kind-up: ## two kind clusters with one mesh, Bookinfo and Meridian; needs docker or podman
	@integration/kind/up.sh

kind-verify: ## check those two against the list of assertions
	@integration/kind/verify.sh

kind-drill: ## take a part of them away and give it back (NAME=stop-productpage; CLUSTER=primary; FOR=60 seconds)
	@FOR=$(FOR) integration/kind/drill.sh "$(NAME)" $(CLUSTER)

kind-down: ## remove them
	@integration/kind/down.sh

clean: ## remove target/, with all that was built or installed there
	rm -rf target
