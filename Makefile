# Leveret needs Go and nothing else to build and test. The race detector also
# needs a C compiler; without one the tests run without it.

RACE      := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
FUZZTIME  ?= 5s
BENCHTIME ?= 1s
BENCH     ?= .
ARGS      ?=

.PHONY: build run test test-long test-crash test-clients check fmt vet staticcheck guard generated bench fuzz race-note

build: ## static binary at bin/leveret
	CGO_ENABLED=0 go build -trimpath -o bin/leveret ./cmd/leveret

run: build ## run the broker: make run ARGS=--in-memory
	./bin/leveret serve $(ARGS)

test: check race-note ## everything that must hold before a merge
	go test $(RACE) -short -timeout 15m ./...

test-long: race-note ## also what testing.Short leaves out, three times over, and test-crash
	go test $(RACE) -count 3 -timeout 60m $$(go list ./... | grep -v /crashtest$$)
	$(MAKE) test-crash

test-crash: ## the long form of what must not harm the data, with figures; see cmd/leveret/crashtest
	go test -count 1 -timeout 3h -v ./cmd/leveret/crashtest

test-clients: ## the test suites of real client libraries
	testdata/clients/run

check: fmt vet staticcheck guard generated ## everything but the tests

fmt:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:"; echo "$$files"; exit 1; fi

vet:
	go vet ./...

staticcheck:
	go tool staticcheck ./...

guard: ## the house rules: imports, lengths, documentation
	go test ./cmd/guard

generated: ## generated code is what the generators would write
	cd amqp && go run ./internal/gen -check

bench: ## make bench BENCH=Publish BENCHTIME=5s
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

fuzz: ## each fuzz target for FUZZTIME
	@set -e; grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file func; do \
		echo "$${func#func } in $$(dirname "$$file")"; \
		go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")"; \
	done

race-note:
	@$(if $(RACE),:,echo "No C compiler: the tests run without the race detector.")
