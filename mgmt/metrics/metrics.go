package metrics

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
	"github.com/rs/zerolog"
)

// Broker is what is scraped; a *server.Server is one.
type Broker interface {
	// VHosts are the vhosts with all that is in them.
	VHosts() *vhost.Registry
	// ConnectionInfos are the connections by id, ChannelInfos the channels by
	// connection and number.
	ConnectionInfos() []server.ConnectionInfo
	ChannelInfos() []server.ChannelInfo
	// Totals are the broker's numbers since its start.
	Totals() server.Totals
	// Alarms are those that are raised.
	Alarms() server.Alarm
}

// Options say what the broker does not know of itself. The zero value is usable.
type Options struct {
	// Log gets a line for a scrape that failed; nil = no logs.
	Log *zerolog.Logger
	// NodeName is what identity_info calls this broker; empty for leveret@HOSTNAME.
	NodeName string
	// ClusterName is used unless the global parameter cluster_name says otherwise;
	// empty for NodeName.
	ClusterName string
	// Product and Version are those of build_info; empty for Leveret and server.Version.
	Product, Version string
	// Started is when the broker was started; zero for the call of New.
	Started time.Time
	// Resources tells about the machine; nil: nothing is known of it.
	Resources func() Resources
	// Store tells about the store; nil without one.
	Store func() persistence.Stats
}

// Resources are limits and what is left below them, in bytes; 0 = not known.
type Resources struct {
	MemoryLimit             int64
	DiskFree, DiskFreeLimit int64
}

// New returns the handler of /metrics, /metrics/per-object, /metrics/detailed and
// /metrics/memory-breakdown. It needs no log-in, as RabbitMQ's.
func New(b Broker, o Options) http.Handler {
	o.NodeName = cmp.Or(o.NodeName, server.DefaultNodeName())
	o.ClusterName = cmp.Or(o.ClusterName, o.NodeName)
	o.Product = cmp.Or(o.Product, "Leveret")
	o.Version = cmp.Or(o.Version, server.Version)
	if o.Started.IsZero() {
		o.Started = time.Now()
	}
	if o.Log == nil {
		nop := zerolog.Nop()
		o.Log = &nop
	}
	registry := prometheus.NewRegistry()
	e := &exporter{broker: b, opts: o, runtime: registry}
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", e.serve(func(*http.Request) plan { return plan{endpoint: "aggregated", runtime: true} }))
	mux.HandleFunc("GET /metrics/per-object", e.serve(func(*http.Request) plan {
		return plan{endpoint: "per-object", each: true, runtime: true}
	}))
	mux.HandleFunc("GET /metrics/detailed", e.serve(detailed))
	mux.HandleFunc("GET /metrics/memory-breakdown", e.serve(func(*http.Request) plan {
		return plan{endpoint: "memory-breakdown", families: map[string]bool{memoryFamily: true}}
	}))
	return mux
}

// exporter answers scrapes.
type exporter struct {
	// immutable
	broker  Broker
	opts    Options
	runtime prometheus.Gatherer // go_* and process_*
}

// plan is what a scrape asks for.
type plan struct {
	endpoint string // in identity_info
	each     bool   // of each object, else all together
	runtime  bool   // also go_* and process_*
	detailed bool   // names begin with rabbitmq_detailed_
	families map[string]bool
	vhosts   map[string]bool // nil: all
	queues   map[string]bool // nil: all
}

// detailed reads the query of /metrics/detailed: family, vhost and queue, each as often
// as one likes. A family that there is not here gives nothing, as in RabbitMQ.
func detailed(r *http.Request) plan {
	set := func(name string) map[string]bool {
		values, ok := r.URL.Query()[name]
		if !ok {
			return nil
		}
		m := make(map[string]bool, len(values))
		for _, v := range values {
			m[v] = true
		}
		return m
	}
	p := plan{endpoint: "detailed", each: true, detailed: true, families: set("family"), vhosts: set("vhost"), queues: set("queue")}
	if p.families == nil {
		p.families = map[string]bool{}
	}
	return p
}

// wants reports whether a family of /metrics/detailed is asked for.
func (p *plan) wants(family string) bool { return p.families == nil || p.families[family] }

func (e *exporter) serve(read func(*http.Request) plan) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := read(r)
		body, err := e.scrape(p)
		if err != nil {
			e.opts.Log.Error().Err(err).Str("path", r.URL.Path).Msg("metrics could not be collected")
			http.Error(w, "metrics could not be collected: see the log", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // a scraper that went away is no concern of ours
	}
}

// scrape returns the whole answer.
func (e *exporter) scrape(p plan) ([]byte, error) {
	runtime, err := e.runtime.Gather() // once: RabbitMQ's names tell some of it too
	if err != nil {
		return nil, err
	}
	s := e.look(p, runtime)
	registry := prometheus.NewRegistry()
	if err := registry.Register(s); err != nil {
		return nil, err
	}
	families, err := registry.Gather()
	if err != nil {
		return nil, err
	}
	if p.runtime {
		families = append(families, runtime...)
	}
	var b bytes.Buffer
	out := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := out.Encode(f); err != nil {
			return nil, err
		}
	}
	if p.families == nil {
		s.appendMessageSizes(&b)
	}
	return b.Bytes(), nil
}
