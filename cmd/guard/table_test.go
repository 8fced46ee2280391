package guard

// row says what a package may import of ours. Its test files may besides
// import whatever lies in its own layer or below.
type row struct {
	layer    int
	name     string   // relative to the module
	imports  []string // relative to the module; "*" = everything
	external []string // modules of others that its code may import
}

const (
	zerolog     = "github.com/rs/zerolog"
	cli         = "github.com/urfave/cli/v2"
	amqp091     = "github.com/rabbitmq/amqp091-go"
	badger      = "github.com/dgraph-io/badger/v4"
	prometheus  = "github.com/prometheus"
	proxy       = "github.com/pires/go-proxyproto"
	progressbar = "github.com/schollz/progressbar/v3"
	term        = "golang.org/x/term"
	systemd     = "github.com/coreos/go-systemd/v22"
	hdr         = "github.com/HdrHistogram/hdrhistogram-go"
)

// table is the table of rooms in ARCHITECTURE.md, lowest layer first.
var table = []row{
	{0, "amqp", nil, nil},
	{0, "amqp/internal/gen", nil, nil},

	{1, "binding", []string{"amqp"}, nil},
	{1, "persistence", []string{"amqp"}, nil},

	{2, "persistence/badger", []string{"persistence", "amqp"}, []string{badger, zerolog}},
	{2, "persistence/memory", []string{"persistence", "amqp"}, nil},
	{2, "persistence/storetest", []string{"persistence", "amqp"}, nil},
	{2, "persistence/datadir", []string{"persistence"}, nil},
	{2, "persistence/diskguard", []string{"persistence"}, []string{zerolog}},
	{2, "exchange", []string{"binding", "amqp"}, nil},
	{2, "vhost/dedup", []string{"persistence", "amqp"}, nil},
	{2, "vhost/policy", []string{"amqp", "persistence"}, nil},

	{3, "vhost/auth", []string{"amqp", "persistence", "vhost/policy"}, nil},
	{3, "vhost/queue", []string{"persistence", "amqp", "vhost/dedup"}, nil},

	{4, "vhost", []string{"amqp", "binding", "exchange", "persistence", "vhost/queue", "vhost/dedup", "vhost/auth", "vhost/policy"}, []string{zerolog}},

	{5, "amqp/server", []string{"amqp", "vhost", "vhost/queue", "vhost/auth", "vhost/policy", "exchange", "persistence", "persistence/memory"}, []string{zerolog, proxy}},
	{5, "mgmt/definitions", []string{"amqp", "vhost", "vhost/queue", "vhost/auth", "vhost/policy", "exchange"}, nil},
	{5, "mgmt/rates", nil, nil},

	{6, "mgmt", []string{"amqp", "amqp/server", "exchange", "mgmt/definitions", "mgmt/rates", "vhost", "vhost/auth", "vhost/policy", "vhost/queue"}, []string{zerolog}},
	{6, "mgmt/metrics", []string{"amqp", "amqp/server", "exchange", "persistence", "vhost", "vhost/queue"}, []string{zerolog, prometheus}},
	{6, "amqp/server/servertest", []string{"amqp/server", "persistence/memory"}, []string{amqp091, zerolog}},
	{6, "amqp/server/tlstest", nil, nil},
	{6, "cmd/leveret/conf", nil, nil},
	{6, "cmd/leveret/ctl", nil, []string{cli, progressbar, term}},
	{6, "cmd/leveret/packaging", nil, nil},
	{6, "cmd/leveret/perf", []string{"amqp"}, []string{cli, hdr}},
	{6, "cmd/leveret/memguard", nil, []string{zerolog}},
	{6, "cmd/leveret/certs", nil, nil},
	{6, "cmd/leveret/crashtest", nil, nil},
	{6, "cmd/guard", nil, nil},

	{7, "cmd/leveret", []string{"*"}, []string{zerolog, cli, systemd}},
}

// testSupport are packages made for tests of the layers named, though they lie
// above them.
var testSupport = map[string]int{
	"amqp/server/servertest": 5,
	"amqp/server/tlstest":    3,
	"persistence/storetest":  2,
}

// topLevel is everything that may lie at the top of the tree, besides hidden
// files and what .gitignore names.
var topLevel = []string{
	".ci", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "Makefile", "README.md",
	"amqp", "binding", "cmd", "exchange", "go.mod", "go.sum", "mgmt", "persistence", "testdata", "vhost",
}

// The limits of length, in lines.
const (
	maxFile         = 400
	maxTestFile     = 600
	maxFunction     = 60
	maxTestFunction = 100
	maxPackageDoc   = 15
)

// vagueNames say nothing about what a package is for.
var vagueNames = []string{"util", "utils", "common", "types", "helpers", "interfaces", "misc"}
