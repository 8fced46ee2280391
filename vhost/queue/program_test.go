package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
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

// shrink leaves out operations for as long as the program still fails.
func shrink(t *testing.T, program []byte) []byte {
	for n := len(program) / opSize / 2; n > 0; {
		smaller := false
		for at := 0; at+n*opSize <= len(program); {
			try := slices.Delete(slices.Clone(program), at, at+n*opSize)
			if _, err := runProgram(t, try); err != nil {
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

// fail reports a program that fails, in the shortest form that was found.
func fail(t *testing.T, program []byte, at int) {
	t.Helper()
	program = shrink(t, program[:min(len(program), (at+1)*opSize)])
	_, err := runProgram(t, program)
	var b strings.Builder
	for i := 0; i < len(program); i += opSize {
		fmt.Fprintf(&b, "  %v\n", op(program[i:]))
	}
	t.Fatalf("%v\nprogram:\n%sas bytes: %q", err, b.String(), program)
}

// TestModel plays random programs, the same ones each time.
func TestModel(t *testing.T) {
	const steps = 1000
	seeds := uint64(400)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		program := randomProgram(seed, steps)
		if at, err := runProgram(t, program); err != nil {
			t.Logf("seed %d, operation %d", seed, at)
			fail(t, program, at)
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
		if at, err := runProgram(t, program); err != nil {
			fail(t, program, at)
		}
	})
}
