package crashtest

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is what is tested, built once for all tests.
var program string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "leveret-crashtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "leveret")
	args := append([]string{"build", "-buildvcs=false"}, raceFlags...)
	args = append(args, "-o", program, "github.com/leveretmq/leveret/cmd/leveret")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

var lookAtSources sync.Once

// noteSources looks at the sources of the program. go test remembers which files
// a test has looked at, and without this it would take an old result for that of
// a program that has changed.
func noteSources(t *testing.T) {
	t.Helper()
	lookAtSources.Do(func() {
		const top = "../../.."
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != top && strings.HasPrefix(d.Name(), "."):
				return filepath.SkipDir
			case filepath.Ext(path) == ".go" && !strings.HasSuffix(path, "_test.go"), d.Name() == "go.mod":
				_, err = os.Stat(path)
			}
			return err
		})
		must(t, err, "look at the sources")
	})
}

// number is a setting from the environment, or else long, or with -short short.
func number(t *testing.T, variable string, short, long int) int {
	t.Helper()
	if text := os.Getenv(variable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			t.Fatalf("%s is %q, not a number", variable, text)
		}
		return n
	}
	if testing.Short() {
		return short
	}
	return long
}

// period is a setting from the environment, or else long, or with -short 0.
func period(t *testing.T, variable string, long time.Duration) time.Duration {
	t.Helper()
	if text := os.Getenv(variable); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			t.Fatalf("%s is %q, not a duration", variable, text)
		}
		return d
	}
	if testing.Short() {
		return 0
	}
	return long
}

// random is a source whose seed is in the log, and may come from the
// environment.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("LEVERET_TEST_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("LEVERET_TEST_SEED is %q, not a number", text)
		}
		seed = n
	}
	t.Logf("LEVERET_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// roomyDir is a directory of the test's own for large data.
func roomyDir(t *testing.T) string {
	t.Helper()
	base := os.Getenv("LEVERET_TEST_DIR")
	if base == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "leveret-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// eventually waits until a condition holds, which is looked at ten times a
// second.
func eventually(within time.Duration, holds func() bool) bool {
	deadline := time.After(within)
	for !holds() {
		select {
		case <-deadline:
			return holds()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}
