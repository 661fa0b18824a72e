SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help test gotest nodetest attack race lint fmt generate drift run load smoke cluster bench soak fuzz module release sbom outdated vulnerable

# Says a line for each package that has ended, and of each test that fails what it said.
gotest = .ci/tool gotestsum --format pkgname-and-test-fails --hide-summary skipped --

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

test: ## install what the tests need (as root on Debian), and run them
	@.ci/part setup .ci/setup
	@.ci/part 'tests in Go, and beside them those of the client in Node.js' $(MAKE) --no-print-directory -j2 gotest nodetest
	@.ci/part 'tests in a browser' test/browser/run

gotest: # Most packages wait for other programs and for time to pass: so there are more of them at once than cores.
	@$(gotest) -timeout 8m -p 4 $$(go list ./... | grep -v /test/attack)

nodetest:
	@cd client/js && node --test --test-reporter=spec test/*.test.js

attack: ## attack a server, kill it, starve it, and step its clock: minutes
	@.ci/part attack .ci/tool gotestsum --format testname --hide-summary skipped -- -timeout 8m ./test/attack

race: ## run the tests under the race detector
	@.ci/part 'tests under the race detector' $(gotest) -race -timeout 10m $$(go list ./... | grep -vE "/test/(attack|front|nat)") # those attack a server that is not built for it

lint: ## vet, staticcheck, gosec, format
	@.ci/part vet go vet ./...
	@.ci/part staticcheck .ci/tool staticcheck ./...
	@.ci/part gosec .ci/tool gosec -test=false ./...
	@unformatted=$$(.ci/tool gofumpt -l .); \
	if [ -n "$$unformatted" ]; then printf 'not formatted, run make fmt:\n%s\n' "$$unformatted"; exit 1; fi

fmt: ## format the Go files
	.ci/tool gofumpt -l -w .

generate: ## write the generated files: the README's table, the browser client, the API's description, the list of licenses
	@.ci/part 'go generate' go generate ./...
	@.ci/part "the API's description" bash -ec 'go tool swag init --quiet -g main.go -o docs --parseInternal; go run ./docs/describe docs'
	@.ci/part "the API's page" app/pages/swagger/vendor/copy
	@.ci/part 'the list of licenses' go -C .ci/licenses run . ../../docs/licenses.md
	@.ci/part 'the packages of client/js' .ci/npm-ci client/js
	@.ci/part 'the browser client' npm --prefix client/js run --silent build

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

bench: ## measure everything beside others, a quarter of an hour; writes docs/benchmarks.md; AGAINST=DIR: only beside another version
	go -C test/bench run . $(if $(AGAINST),-against $(abspath $(AGAINST)))

soak: ## an hour under load, with clients that die, and what must not grow in it; writes docs/soak.md
	go -C test/bench run ./soak

fuzz: ## run each fuzz test for FUZZTIME, ten minutes if it is not set
	.ci/fuzz

module: ## rename the Go module, which has no home yet: make module MODULE=github.com/owner/signal-server
	@go -C .ci/module run . "$$PWD" "$${MODULE:-}"

release: ## make a release of the tag that is checked out; SNAPSHOT=1: only its files, of what is checked out: dist/
	@.ci/release

sbom: ## write the bill of materials of the server's binary: dist/signal-server.cdx.json
	mkdir -p dist
	@.ci/part 'build the server' env CGO_ENABLED=0 go build -trimpath -o dist/signal-server .
	@.ci/part 'bill of materials' .ci/sbom dist/signal-server dist/signal-server.cdx.json

outdated: ## list what there is a newer version of
	@.ci/outdated

vulnerable: ## fail if the code calls what is known to be broken, by Go's database of vulnerabilities
	@.ci/vulnerable
