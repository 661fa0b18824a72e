SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help test attack race lint fmt generate drift run load smoke cluster bench soak fuzz sbom

tool = "$$(go -C .ci/tools tool -n $(1))"

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

test: ## install what the tests need (as root on Debian), and run them
	@.ci/setup
	go test -timeout 8m $$(go list ./... | grep -v /test/attack)
	cd client/js && node --test test/*.test.js
	test/browser/run

attack: ## attack a server, kill it, starve it, and step its clock: minutes
	go test -timeout 8m ./test/attack

race: ## run the tests under the race detector
	go test -race -timeout 10m $$(go list ./... | grep -v /test/) # those attack a server that is not built for it

lint: ## vet, staticcheck, gosec, format
	go vet ./...
	$(call tool,staticcheck) ./...
	$(call tool,gosec) -test=false ./...
	@unformatted=$$($(call tool,gofumpt) -l .); \
	if [ -n "$$unformatted" ]; then printf 'not formatted, run make fmt:\n%s\n' "$$unformatted"; exit 1; fi

fmt: ## format the Go files
	$(call tool,gofumpt) -l -w .

generate: ## write the generated files: the README's table, the browser client, the API's description, the list of licenses
	go generate ./...
	go tool swag init --quiet -g main.go -o docs --parseInternal
	go -C .ci/licenses run . ../../docs/licenses.md
	.ci/npm-ci client/js
	cd client/js && npm run --silent build

drift: ## fail if make generate changes a file
	@tree() { git status --porcelain --untracked-files=all; git diff HEAD; }; \
	before=$$(tree); $(MAKE) --no-print-directory generate; after=$$(tree); \
	if ! diff <(echo "$$before") <(echo "$$after"); then echo 'generated files were stale, see above'; exit 1; fi

run: ## run the server
	go run .

load: ## start the server and run the load tests; TARGET=http://host: against that one
	k6/run

smoke: ## run each load test for three seconds
	SMOKE=1 k6/run

cluster: ## start three nodes, a Redis Cluster of six and nginx, and run the load through it; STAY=1: to play with
	test/fleet/run

bench: ## measure everything beside others, a quarter of an hour; writes docs/benchmarks.md
	go -C test/bench run .

soak: ## an hour under load, with clients that die, and what must not grow in it; writes docs/soak.md
	go -C test/bench run ./soak

fuzz: ## run each fuzz test for FUZZTIME, ten minutes if it is not set
	.ci/fuzz

sbom: ## write the bill of materials of the server's binary: dist/signal-server.cdx.json
	mkdir -p dist
	CGO_ENABLED=0 go build -trimpath -o dist/signal-server .
	.ci/sbom dist/signal-server dist/signal-server.cdx.json
