package amqp

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/frames")

// golden is one frame of testdata/frames: what it means, its bytes, and what
// they decode to.
type golden struct {
	meaning string
	frame   []byte
	decoded string
}

// goldenFrames encodes the samples of every file.
func goldenFrames(t testing.TB) map[string][]golden {
	t.Helper()
	files := map[string][]golden{}
	add := func(file, meaning string, frame []byte) {
		files[file] = append(files[file], golden{meaning, frame, describe(t, frame)})
	}
	for _, s := range methodSamples {
		frame, err := AppendMethod(nil, s.channel, s.method)
		if err != nil {
			t.Fatalf("%s: %v", s.method.Name(), err)
		}
		class, _, _ := strings.Cut(s.method.Name(), ".")
		add(class, s.meaning, frame)
	}
	for _, s := range propertySamples {
		props, err := s.props.Append(nil)
		if err != nil {
			t.Fatalf("%s: %v", s.meaning, err)
		}
		add("content", s.meaning, AppendContentHeader(nil, 1, ClassBasic, s.bodySize, props))
	}
	add("content", "a body of five bytes", AppendBody(nil, 1, []byte("hello"), MinFrameMax))
	add("heartbeat", "a heartbeat", AppendHeartbeat(nil))
	return files
}

// describe decodes one frame and writes it in words.
func describe(t testing.TB, frame []byte) string {
	t.Helper()
	rd := NewReader(bytes.NewReader(frame), 0)
	f, err := rd.ReadFrame()
	if err != nil {
		t.Fatalf("%x: %v", frame, err)
	}
	out := fmt.Sprintf("channel %d, ", f.Channel)
	switch f.Type {
	case FrameMethod:
		m, err := ParseMethod(f.Payload)
		if err != nil {
			t.Fatalf("%x: %v", frame, err)
		}
		return out + m.Name() + fields(reflect.ValueOf(m).Elem())
	case FrameHeader:
		h, err := ParseContentHeader(f.Payload)
		if err != nil {
			t.Fatalf("%x: %v", frame, err)
		}
		props, err := h.Properties.Decode()
		if err != nil {
			t.Fatalf("%x: %v", frame, err)
		}
		return out + fmt.Sprintf("content header of class %d, body size %d", h.ClassID, h.BodySize) + fields(reflect.ValueOf(props))
	case FrameBody:
		return out + fmt.Sprintf("body %q", f.Payload)
	}
	return out + "heartbeat"
}

// fields writes the fields of a struct that are not zero.
func fields(v reflect.Value) string {
	var out strings.Builder
	for i := range v.NumField() {
		f := v.Field(i)
		switch x := f.Interface().(type) {
		case Table:
			if x != nil {
				fmt.Fprintf(&out, "\n  %s:", v.Type().Field(i).Name)
				writeTable(&out, x, "    ")
			}
		case PropertyFlags:
			fmt.Fprintf(&out, "\n  %s: %016b", v.Type().Field(i).Name, x)
		default:
			if !f.IsZero() {
				fmt.Fprintf(&out, "\n  %s: %s", v.Type().Field(i).Name, value(x))
			}
		}
	}
	return out.String()
}

func writeTable(out *strings.Builder, t Table, indent string) {
	for _, f := range t {
		if inner, ok := f.Value.(Table); ok {
			fmt.Fprintf(out, "\n%s%s: table", indent, f.Name)
			writeTable(out, inner, indent+"  ")
			continue
		}
		fmt.Fprintf(out, "\n%s%s: %T %s", indent, f.Name, f.Value, value(f.Value))
	}
}

func value(x any) string {
	switch x := x.(type) {
	case string, []byte:
		return fmt.Sprintf("%q", x)
	case ReplyCode:
		return fmt.Sprintf("%d %s", x, x)
	}
	return fmt.Sprintf("%v", x)
}

// format writes the entries of a file.
func format(entries []golden) string {
	var out strings.Builder
	out.WriteString("# Frames, each as: its meaning, its bytes (header, payload, end), what they\n" +
		"# decode to. Rewritten by: go test ./amqp -run Golden -update\n")
	for _, g := range entries {
		fmt.Fprintf(&out, "\n# %s\n%x %x %x\n", g.meaning, g.frame[:1], g.frame[1:3], g.frame[3:7])
		for line := range slices.Chunk(g.frame[7:len(g.frame)-1], 36) {
			fmt.Fprintf(&out, "%x\n", line)
		}
		fmt.Fprintf(&out, "%x\n", g.frame[len(g.frame)-1:])
		for line := range strings.SplitSeq(g.decoded, "\n") {
			fmt.Fprintf(&out, "= %s\n", line)
		}
	}
	return out.String()
}

// readGolden returns the bytes and the decoded form of the entries of a file.
func readGolden(t testing.TB, text string) []golden {
	t.Helper()
	var entries []golden
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n")[1:] {
		var g golden
		var digits strings.Builder
		var decoded []string
		for line := range strings.SplitSeq(block, "\n") {
			switch {
			case strings.HasPrefix(line, "# "):
				g.meaning = line[2:]
			case strings.HasPrefix(line, "= "):
				decoded = append(decoded, line[2:])
			default:
				digits.WriteString(strings.ReplaceAll(line, " ", ""))
			}
		}
		g.decoded = strings.Join(decoded, "\n")
		var err error
		if g.frame, err = hex.DecodeString(digits.String()); err != nil {
			t.Fatalf("%s: %v", g.meaning, err)
		}
		entries = append(entries, g)
	}
	return entries
}

func goldenPath(file string) string {
	return filepath.Join("..", "testdata", "frames", file+".txt")
}

// storedFrames reads all of testdata/frames.
func storedFrames(t testing.TB) []golden {
	t.Helper()
	paths, err := filepath.Glob(goldenPath("*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden frames: %v", err)
	}
	var all []golden
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, readGolden(t, string(text))...)
	}
	return all
}

func TestGoldenFrames(t *testing.T) {
	for file, entries := range goldenFrames(t) {
		if *update {
			if err := os.WriteFile(goldenPath(file), []byte(format(entries)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(goldenPath(file))
		if err != nil {
			t.Fatal(err)
		}
		stored := readGolden(t, string(text))
		if len(stored) != len(entries) {
			t.Fatalf("%s: %d entries in the file, %d samples", file, len(stored), len(entries))
		}
		for i, want := range stored {
			if got := entries[i]; !bytes.Equal(got.frame, want.frame) {
				t.Errorf("%s: %s: encoded as\n%x, want\n%x", file, want.meaning, got.frame, want.frame)
			}
			if got := describe(t, want.frame); got != want.decoded {
				t.Errorf("%s: %s: decoded as\n%s\nwant\n%s", file, want.meaning, got, want.decoded)
			}
		}
	}
}

// TestGoldenFrames_CoverTheSpec wants a sample of each method.
func TestGoldenFrames_CoverTheSpec(t *testing.T) {
	have := map[string]bool{}
	for _, s := range methodSamples {
		have[s.method.Name()] = true
	}
	for _, info := range allMethods() {
		if !have[info.Name] {
			t.Errorf("no sample of %s", info.Name)
		}
	}
}

// TestGoldenFrames_Truncated cuts every frame, and every payload, at each byte.
func TestGoldenFrames_Truncated(t *testing.T) {
	for _, g := range storedFrames(t) {
		for n := range g.frame {
			_, err := NewReader(bytes.NewReader(g.frame[:n]), 0).ReadFrame()
			if err == nil {
				t.Errorf("%s: Reader took %d of %d bytes for a frame", g.meaning, n, len(g.frame))
			}
		}
		payload := g.frame[frameHeaderSize : len(g.frame)-1]
		for n := range payload {
			if err := decodePayload(FrameType(g.frame[0]), payload[:n:n]); err == nil {
				t.Errorf("%s: decoded %d of %d bytes of the payload", g.meaning, n, len(payload))
			}
		}
	}
}

// decodePayload decodes all there is to decode in a payload.
func decodePayload(typ FrameType, payload []byte) error {
	switch typ {
	case FrameMethod:
		_, err := ParseMethod(payload)
		return err
	case FrameHeader:
		h, err := ParseContentHeader(payload)
		if err != nil {
			return err
		}
		if _, err := h.Properties.Scan(); err == nil {
			return nil
		}
		_, err = h.Properties.Decode()
		return err
	}
	return fmt.Errorf("nothing to decode in a frame of type %d", typ)
}
