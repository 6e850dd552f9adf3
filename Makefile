# `make` builds ktail; `make help` lists all targets.

VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE    ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
GO      ?= go
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false \
	-ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)'

# Tools are built from source at a pinned version, once, under the version's name.
GOLANGCI_LINT = .bin/golangci-lint-v2.15.0
GORELEASER    = .bin/goreleaser-v2.15.1
GOVULNCHECK   = golang.org/x/vuln/cmd/govulncheck@v1.9.0

# The version that `make stern` compares with.
STERN = stern-v1.34.0

# How long `make fuzz` spends on each target.
FUZZTIME ?= 30s

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

.PHONY: build
build: ## build ./ktail
	$(BUILD) -o ktail ./cmd/ktail

.PHONY: demo
demo: build ## run ktail on a small shop of made-up pods, without a cluster
	@$(GO) build -o .bin/ktail-demo ./cmd/ktail-demo
	@.bin/ktail-demo -ktail ./ktail

.PHONY: test
test: ## run the unit tests (no root, no cluster; only the loopback network)
	$(GO) test -race -timeout 20m ./...

.PHONY: e2e
e2e: ## test on a real Kubernetes and real search servers (root on Debian)
	./test/e2e.sh
	./test/search.sh

.PHONY: demo-web
demo-web: build ## show the demo's lines on a page in the browser
	@$(GO) build -o .bin/ktail-demo ./cmd/ktail-demo
	@.bin/ktail-demo -ktail ./ktail -web

.PHONY: web-test
web-test: ## test the page in Chromium (installs it on Debian)
	./test/web.sh

.PHONY: monitoring
monitoring: ## test metrics with a real Prometheus, Alertmanager and Pushgateway (Debian)
	./test/monitoring.sh

.PHONY: stern
stern: .bin/$(STERN) ## compare with stern
	$(GO) test -race -tags stern -count=1 -run '^TestStern' ./cmd/ktail

# Without a remote, goreleaser does not look at the commit.
.PHONY: release-snapshot
release-snapshot: export GIT_CONFIG_COUNT = 1
release-snapshot: export GIT_CONFIG_KEY_0 = remote.origin.url
release-snapshot: export GIT_CONFIG_VALUE_0 = https://github.com/ktail/ktail
release-snapshot: $(GORELEASER) ## build the release in dist/
	$(GORELEASER) check
	$(GORELEASER) release --snapshot --clean

.PHONY: release-test
release-test: release-snapshot ## build the release, unpack it and run it
	$(GO) test -tags release -count=1 -v ./test/release

.PHONY: image
image: ## write the container image to dist/ktail-image.tar, an OCI archive; no Docker needed
	@mkdir -p dist/image
	GOOS=linux GOARCH=amd64 $(BUILD) -o dist/image/ktail-amd64 ./cmd/ktail
	GOOS=linux GOARCH=arm64 $(BUILD) -o dist/image/ktail-arm64 ./cmd/ktail
	$(GO) run ./cmd/ktail-image -o dist/ktail-image.tar -version $(VERSION) \
		amd64=dist/image/ktail-amd64 arm64=dist/image/ktail-arm64

.PHONY: bench
bench: build .bin/$(STERN) ## compare with stern, kubectl and curl on a real Kubernetes; writes BENCHMARKS.md
	./test/bench.sh -stern .bin/$(STERN)

.PHONY: microbench
microbench: ## run the benchmarks of single packages
	$(GO) test -run '^$$' -bench . -benchmem $(call packages_with,Benchmark)

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME
	@for pkg in $(call packages_with,Fuzz); do \
		for target in $$(grep -hoE '^func Fuzz\w+' $$pkg/*_test.go | cut -c6-); do \
			echo "# $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit; \
		done; \
	done

.PHONY: lint
lint: $(GOLANGCI_LINT) ## check style, layers, spelling and formatting
	$(GOLANGCI_LINT) run
	$(GO) vet ./...
	$(GO) vet -tags e2e,stern,release,profile ./...
	GOOS=darwin $(GO) vet ./cmd/ktail ./pkg/...
	GOOS=windows $(GO) vet ./cmd/ktail ./pkg/...
	GOARCH=386 $(GO) vet ./cmd/ktail ./internal/... ./pkg/...
	@files=$$(gofmt -l cmd internal pkg test); [ -z "$$files" ] || { echo "not formatted by gofmt:"; echo "$$files"; exit 1; }
	$(GO) mod tidy -diff

# `test` fails if generated files are stale or the documentation is inconsistent:
# ./cmd/ktail has tests for both.
.PHONY: check
check: lint test ## run lint and test; .ci/run has all that a change must pass

.PHONY: generate
generate: ## write completions/, the man page and the flag table in README.md
	$(GO) test ./cmd/ktail -run TestGenerated -update

.PHONY: picture
picture: build ## write the screenshots of the terminal in README.md
	@$(GO) build -o .bin/ktail-demo ./cmd/ktail-demo
	docs/picture.sh
	QUERY=worker IMAGE=docs/what-happened.svg docs/picture.sh

.PHONY: vuln
vuln: ## check for known vulnerabilities in the code that ktail calls
	$(GO) run $(GOVULNCHECK) ./...

.PHONY: clean
clean: ## remove build results
	rm -rf ktail .bin dist

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(GOLANGCI_LINT):
	GOBIN=$(abspath .bin) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(patsubst .bin/golangci-lint-%,%,$@)
	mv .bin/golangci-lint $@

$(GORELEASER):
	CGO_ENABLED=0 GOBIN=$(abspath .bin) $(GO) install github.com/goreleaser/goreleaser/v2@$(@:.bin/goreleaser-%=%)
	mv .bin/goreleaser $@

.bin/$(STERN):
	GOBIN=$(abspath .bin) $(GO) install -trimpath -ldflags '-s -w' github.com/stern/stern@$(STERN:stern-%=%)
	mv .bin/stern $@

# The directories with a test function whose name has the prefix $(1).
packages_with = $(sort $(addprefix ./,$(dir $(shell grep -rlE '^func $(1)[A-Z]' --include '*_test.go' cmd internal pkg))))
