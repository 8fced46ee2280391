# What the suites share. Sourced by run, which sets WORK, and by each suite,
# for which run also sets RESULTS, SUITE_DIR, AMQP_URL, AMQP_HOST, AMQP_PORT.

# FAULTS are the lines of a broker's log that no suite may cause: races, panics that
# end it, and those that it has caught.
FAULTS='DATA RACE|^panic|^fatal error| panic='
PYTHON=/usr/bin/python3 # Debian's, which sees Debian's python3-* packages

# need_apt PACKAGE... installs what is missing, if this user may.
need_apt() {
  local missing=() p
  for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  ((${#missing[@]} == 0)) && return 0
  [[ $(id -u) == 0 ]] || { echo "install these first: ${missing[*]}" && return 1; }
  [[ -e $WORK/apt-updated ]] || { apt-get -qq update && : >"$WORK/apt-updated"; }
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}"
}

# left_out_reason NAME says why left-out.txt leaves a test out; else it fails.
left_out_reason() {
  local name=$1 listed reason
  [[ -e $SUITE_DIR/left-out.txt ]] || return 1
  while IFS='|' read -r listed reason; do
    [[ $listed == '#'* || -z $reason ]] && continue
    listed=${listed%"${listed##*[![:space:]]}"}
    [[ $listed == "$name" ]] && { echo "${reason# }" && return 0; }
  done <"$SUITE_DIR/left-out.txt"
  return 1
}

passed() { echo "passed $*" >>"$RESULTS"; }

# failed NAME counts a failure, unless left-out.txt says that it is expected.
failed() {
  local reason
  if reason=$(left_out_reason "$*"); then
    left_out "$*" "$reason"
  else
    echo "failed $*" >>"$RESULTS"
  fi
}

# left_out NAME REASON
left_out() { echo "left-out ${SUITE_DIR##*/}: $1 ($2)" >>"$RESULTS"; }

free_port() {
  "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# url_part host|port of AMQP_URL
url_part() {
  "$PYTHON" - "$1" <<'PY'
import os, sys
from urllib.parse import urlsplit
u = urlsplit(os.environ["AMQP_URL"])
print({"host": u.hostname, "port": u.port or 5672}[sys.argv[1]])
PY
}

# serves_management URL prints it back if the management API answers there.
serves_management() {
  "$PYTHON" - "$1" <<'PY'
import base64, sys, urllib.request
url = sys.argv[1].rstrip("/")
try:
    r = urllib.request.Request(url + "/api/connections", headers={"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()})
    with urllib.request.urlopen(r, timeout=5) as answer:
        if answer.status == 200 and answer.read(1) == b"[":
            print(url)
except (OSError, ValueError):
    pass
PY
}

# tally FILE counts lines "verdict NAME|REASON", as Python writes them for us.
tally() {
  local verdict name reason
  while IFS=' ' read -r verdict name; do
    reason=${name#*|} name=${name%%|*}
    case $verdict in
      passed) passed "$name" ;;
      failed) failed "$name" ;;
      skipped) left_out "$name" "$reason" ;;
    esac
  done <"$1"
}

# python_results KIND SOURCE tallies with results.py: see there.
python_results() {
  local status=0
  PYTHONDONTWRITEBYTECODE=1 timeout 300 "$PYTHON" "$HERE/results.py" "$1" "$2" verdicts.txt || status=$?
  tally verdicts.txt
  rm verdicts.txt
  return $((status > 1))
}
