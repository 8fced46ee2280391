# The Go client's own integration tests, for the suites amqp091-go and tls.
VERSION=v1.16.0

# build_client gets the client, and makes client.test of it, under the race detector.
build_client() {
  mkdir module
  (cd module && go mod init suite >/dev/null 2>&1)
  cp -r "$(cd module && go mod download -json "github.com/rabbitmq/amqp091-go@$VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')" client
  chmod -R u+w client
  # The tests that drop connections ask a management API at one fixed port.
  if [[ -n $HTTP_URL ]]; then
    sed -i "s/\"15672\"/\"${HTTP_URL##*:}\"/; s/localhost:15672/localhost:${HTTP_URL##*:}/" client/recovery_test.go client/internal/utils/http.go
  fi
  (cd client && go test -race -c -tags integration -o ../client.test .)
}

# client_tests names the tests: only those that the integration tag brings in, the
# rest needs no broker.
client_tests() {
  grep -l '^//go:build integration' client/*_test.go | xargs grep -hoE '^func Test[A-Za-z0-9_]+' | sed 's/^func //' | grep -v '^TestMain$' | sort
}

# client_drops names those of them that drop connections by way of the management API.
client_drops() {
  awk '/^func Test/ { name = $2; sub(/\(.*/, "", name) } /^\tdropConnection\(/ { print name }' client/recovery_test.go | sort -u
}

# run_tests LOG NAME... runs them in a process of their own.
run_tests() {
  local log=$1 pattern
  shift
  pattern=$(IFS='|' && echo "$*")
  (cd client && timeout 420 ../client.test -test.v -test.timeout 400s -test.run "^($pattern)\$") >"$log" 2>&1
}

# count LOG NAME... tallies the named tests; one without a verdict has failed.
count() {
  local log=$1 t
  shift
  for t in "$@"; do
    if grep -q "^--- PASS: $t " "$log"; then passed "$t"; elif grep -q "^--- SKIP: $t " "$log"; then left_out "$t" "skips itself"; else echo "failed $t" >>"$RESULTS"; fi
  done
}

# run_client runs them all against AMQP_URL and HTTP_URL. Those that drop connections
# mostly wait, so they have a process beside the others'.
run_client() {
  local t reason status=0 dropping= all=() drops=() others=()
  mapfile -t all < <(client_tests)
  mapfile -t drops < <(client_drops)
  for t in "${all[@]}"; do
    if reason=$(left_out_reason "$t"); then
      left_out "$t" "$reason"
    elif [[ " ${drops[*]} " != *" $t "* ]]; then
      others+=("$t")
    elif [[ -z $HTTP_URL ]]; then
      left_out "$t" 'needs the management API to drop a connection'
    fi
  done
  if [[ -n $HTTP_URL ]]; then
    run_tests drops.log "${drops[@]}" &
    dropping=$!
  fi
  run_tests others.log "${others[@]}" || status=1
  if [[ -n $dropping ]]; then
    wait "$dropping" || status=1
    count drops.log "${drops[@]}"
  fi
  count others.log "${others[@]}"
  # A race report or a leaked goroutine fails the process without failing a test.
  if ((status != 0)) && ! grep -q '^failed' "$RESULTS"; then
    failed "a clean exit"
  fi
  if grep -q '^failed' "$RESULTS"; then
    grep -hE -A15 '^ *--- FAIL|DATA RACE|^panic' drops.log others.log || tail -50 others.log
  fi
}
