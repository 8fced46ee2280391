package mgmt

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"

	"github.com/leveretmq/leveret/amqp/server"
)

// load is what machine, process and broker have and use.
type load struct {
	Resources
	// files are open files, sockets among them the connections.
	files, filesLimit    int64
	socketsLimit         int64
	goroutines, runnable int64
	collections          int64 // of garbage
	reclaimed            int64 // bytes
	switches             int64 // of the processors between threads
	reads, readBytes     int64 // of the process, whatever from
	writes, writeBytes   int64
}

// process is what does not change about the process, and what is asked of the runtime.
type process struct {
	pid        string
	processors int

	mu      sync.Mutex
	samples []metrics.Sample // guarded by mu
}

func newProcess() *process {
	p := &process{pid: strconv.Itoa(os.Getpid()), processors: runtime.NumCPU()}
	for _, name := range []string{
		"/gc/cycles/total:gc-cycles", "/gc/heap/frees:bytes", "/sched/goroutines:goroutines",
		"/sched/goroutines/runnable:goroutines", "/memory/classes/total:bytes", "/memory/classes/heap/released:bytes",
	} {
		p.samples = append(p.samples, metrics.Sample{Name: name})
	}
	return p
}

// load looks at everything; some 50 us.
func (a *API) load() *load {
	l := &load{}
	if a.opts.Resources != nil {
		l.Resources = a.opts.Resources()
	}
	a.process.askRuntime(l)
	askSystem(l, a.opts.DataDir)
	return l
}

// askRuntime fills in what the runtime tells.
func (p *process) askRuntime(l *load) {
	p.mu.Lock()
	defer p.mu.Unlock()
	metrics.Read(p.samples)
	n := make([]int64, len(p.samples))
	for i, s := range p.samples {
		if s.Value.Kind() == metrics.KindUint64 {
			n[i] = int64(s.Value.Uint64())
		}
	}
	l.collections, l.reclaimed, l.goroutines, l.runnable = n[0], n[1], n[2], n[3]
	if l.Memory == 0 {
		l.Memory = n[4] - n[5]
	}
}

// socketsOf is how many sockets a process may have that may have so many files, as
// RabbitMQ reckons.
func socketsOf(files int64) int64 {
	if files < 120 {
		return max(files-2, 0)
	}
	return (files - 100) * 9 / 10
}

// nodeColumns are the numbers of a node that are sampled.
var nodeColumns = append([]string{
	"mem_used", "fd_used", "sockets_used", "proc_used", "disk_free", "gc_num", "gc_bytes_reclaimed", "context_switches",
	"io_read_count", "io_read_bytes", "io_write_count", "io_write_bytes", "io_sync_count",
	"msg_store_read_count", "msg_store_write_count",
}, churnNames...)

// nodeNumbers are those of nodeColumns.
func nodeNumbers(l *load, t *server.Totals) []int64 {
	return append([]int64{
		l.Memory, l.files, int64(t.Connections), l.goroutines, l.DiskFree, l.collections, l.reclaimed, l.switches,
		l.reads, l.readBytes, l.writes, l.writeBytes, int64(l.Syncs),
		int64(l.MessagesRead), int64(l.MessagesWritten),
	}, churn(t)...)
}
