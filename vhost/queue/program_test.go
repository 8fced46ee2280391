package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// randomProgram makes the program of a seed.
func randomProgram(seed uint64, steps int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	program := make([]byte, steps*opSize)
	for i := range program {
		program[i] = byte(r.Uint32())
	}
	return program
}

// shrinkTime is how long a program that fails is made shorter.
const shrinkTime = 30 * time.Second

// shrink leaves out operations for as long as the program still fails, and time
// is left.
func shrink(t *testing.T, program []byte) []byte {
	start := time.Now()
	for n := len(program) / opSize / 2; n > 0; {
		smaller := false
		for at := 0; at+n*opSize <= len(program) && time.Since(start) < shrinkTime; {
			try := slices.Delete(slices.Clone(program), at, at+n*opSize)
			if _, _, err := runProgram(t, try); err != nil {
				program, smaller = try, true
			} else {
				at += n * opSize
			}
		}
		if !smaller {
			n /= 2
		}
	}
	return program
}

// fail reports that a program fails, with its shortest form that was found.
func fail(t *testing.T, program []byte) {
	t.Helper()
	at, opened, err := runProgram(t, program)
	t.Logf("operation %d: %v", at, err)
	program = program[:min(len(program), (at+1)*opSize)]
	// Most often it is enough to begin with the queue.
	if _, _, err := runProgram(t, program[opened*opSize:]); err != nil {
		program = program[opened*opSize:]
	}
	program = shrink(t, program)
	_, _, err = runProgram(t, program)
	var b strings.Builder
	for i := 0; i < len(program); i += opSize {
		fmt.Fprintf(&b, "  %v\n", op(program[i:]))
	}
	t.Fatalf("%v\nprogram:\n%sas bytes: %q", err, b.String(), program)
}

// TestModel plays long random programs, the same ones each time.
func TestModel(t *testing.T) {
	seeds, steps := uint64(8), 100_000
	if testing.Short() {
		seeds, steps = 3, 10_000
	}
	for seed := range seeds {
		program := randomProgram(seed, steps)
		if _, _, err := runProgram(t, program); err != nil {
			t.Logf("seed %d: %v", seed, err)
			fail(t, program)
		}
	}
}

// FuzzModel reads programs from the fuzzer's bytes.
func FuzzModel(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(randomProgram(1000+seed, 50))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		program = program[:min(len(program), 400*opSize)]
		if _, _, err := runProgram(t, program); err != nil {
			fail(t, program)
		}
	})
}
