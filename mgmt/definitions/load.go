package definitions

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/leveretmq/leveret/vhost"
)

// Load parses a file, or all files of a directory whose names end with .json, by
// name and as if they were one. The error names the file.
func Load(path string, o ParseOptions) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	if !info.IsDir() {
		return loadFile(path, o)
	}
	names, err := filepath.Glob(filepath.Join(escapeGlob(path), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	all := &File{lenient: o.SkipUnsupported}
	for _, name := range names {
		f, err := loadFile(name, o)
		if err != nil {
			return nil, err
		}
		all.join(f)
	}
	if names == nil {
		return nil, fmt.Errorf("definitions: no file in %s ends with .json", path)
	}
	return all, nil
}

// escapeGlob is a path in which nothing is a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func loadFile(path string, o ParseOptions) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	f, err := Parse(data, o)
	if err != nil {
		return nil, fmt.Errorf("definitions in %s: %w", path, err)
	}
	return f, nil
}

// join adds what another file says.
func (f *File) join(other *File) {
	f.users = append(f.users, other.users...)
	f.rooms = append(f.rooms, other.rooms...)
	f.permissions = append(f.permissions, other.permissions...)
	f.topics = append(f.topics, other.topics...)
	f.parameters = append(f.parameters, other.parameters...)
	f.globals = append(f.globals, other.globals...)
	f.policies = append(f.policies, other.policies...)
	f.exchanges = append(f.exchanges, other.exchanges...)
	f.queues = append(f.queues, other.queues...)
	f.bindings = append(f.bindings, other.bindings...)
	f.skipped = append(f.skipped, other.skipped...)
	f.sum = sha256.Sum256(append(f.sum[:], other.sum[:]...))
}

// Hash returns the SHA-256 of what the file says, in hex. It does not depend on
// spaces or on the order of members.
func (f *File) Hash() string { return hex.EncodeToString(f.sum[:]) }

// hashParameter is the global parameter in which the hash of the file is that
// ApplyChanged has applied last.
const hashParameter = internal + "_imported_definitions_hash"

// ApplyChanged is Apply, unless the file that it has applied last was the same: then
// it does nothing, and so leaves what was changed by other means since. It reports
// whether it did something.
func (f *File) ApplyChanged(r *vhost.Registry) (rep Report, applied bool, err error) {
	hash, _ := json.Marshal(f.Hash()) // a text
	for _, p := range r.GlobalParameters() {
		if p.Name == hashParameter && sameJSON(p.Value, hash) {
			return Report{Skipped: []string{}}, false, nil
		}
	}
	if rep, err = f.Apply(r); err != nil {
		return rep, false, err
	}
	return rep, true, r.SetGlobalParameter(hashParameter, hash)
}
