package definitions

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that we export in testdata/definitions")

// What a broker exports that has imported RabbitMQ's file, to the byte.
func TestExportGolden(t *testing.T) {
	r := newBroker(t)
	apply(t, r, parse(t, sample(t, "rabbitmq-3.10.json"), ParseOptions{}))
	v, err := r.VHost("hd")
	if err != nil {
		t.Fatal(err)
	}
	about := About{Product: "Leveret", Version: "1.0.0", RabbitMQ: "3.13.7", Cluster: "hutch"}
	for name, f := range map[string]*File{"leveret.json": Export(r, about), "leveret-vhost.json": ExportVHost(v, about)} {
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := json.Indent(&out, data, "", "  "); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
		if *update {
			if err := os.WriteFile(filepath.Join(samples, name), out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := sample(t, name); !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s is now\n%s", name, out.Bytes())
		}
		if _, err := Parse(data, ParseOptions{}); err != nil {
			t.Errorf("%s is not understood: %v", name, err)
		}
	}
}
