package mgmt

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/leveretmq/leveret/vhost"
)

// redrives are the jobs of redriving, which are in memory only: they end with the broker.
type redrives struct {
	mu      sync.Mutex
	last    uint64
	jobs    []*redriveJob // by id
	closed  bool
	running sync.WaitGroup
}

// Bounds of how many jobs there are: running, and ended that are kept.
const (
	redrivesMost = 100
	redrivesKept = 100
)

// redriveJob is a job. Those that are handed out are copies.
type redriveJob struct {
	id, vhost, queue, user string
	dryRun                 bool
	rate                   float64
	total                  int
	started                time.Time

	// guarded by redrives.mu, in the job itself
	state, reason string
	ended         time.Time
	at            vhost.Redriven
	cancel        context.CancelFunc
}

func conflict(format string, args ...any) error {
	err := badRequest(format, args...).(*refusal)
	err.status, err.name = http.StatusConflict, "conflict"
	return err
}

// start starts a job; 409 if one of the same queue runs.
func (s *redrives) start(j redriveJob, run func(context.Context, func(*vhost.Redriven)) error) (redriveJob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	running := 0
	for _, o := range s.jobs {
		if o.state != "running" {
			continue
		}
		if running++; o.vhost == j.vhost && o.queue == j.queue {
			return j, conflict("the redrive %s of queue '%s' in vhost '%s' is running", o.id, j.queue, j.vhost)
		}
	}
	switch {
	case s.closed:
		return j, conflict("the broker is shutting down")
	case running >= redrivesMost:
		return j, conflict("%d redrives are running already", running)
	}
	s.last++
	j.id, j.state, j.started = strconv.FormatUint(s.last, 10), "running", time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	j.cancel = cancel
	job := &j
	s.jobs = append(s.jobs, job)
	s.running.Go(func() {
		defer cancel()
		s.finish(job, run(ctx, func(r *vhost.Redriven) { s.note(job, r) }))
	})
	return *job, nil
}

// note notes how far a job has come.
func (s *redrives) note(j *redriveJob, r *vhost.Redriven) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.at = *r
	j.at.Targets = maps.Clone(r.Targets) // at most a hundred
}

// finish notes the end of a job.
func (s *redrives) finish(j *redriveJob, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.ended = time.Now()
	switch {
	case err == nil:
		j.state = "done"
	case errors.Is(err, context.Canceled):
		j.state = "cancelled"
	default:
		j.state, j.reason = "failed", err.Error()
	}
	ended := 0
	for i := len(s.jobs) - 1; i >= 0; i-- {
		if s.jobs[i].state == "running" {
			continue
		}
		if ended++; ended > redrivesKept {
			s.jobs = slices.Delete(s.jobs, i, i+1)
		}
	}
}

// list are the jobs, the latest first.
func (s *redrives) list() (all []redriveJob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range slices.Backward(s.jobs) {
		all = append(all, *j)
	}
	return all
}

func (s *redrives) find(id string) (redriveJob, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.id == id {
			return *j, true
		}
	}
	return redriveJob{}, false
}

// end cancels a job that runs, and forgets one that has ended.
func (s *redrives) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = slices.DeleteFunc(s.jobs, func(j *redriveJob) bool {
		if j.id != id {
			return false
		}
		j.cancel()
		return j.state != "running"
	})
}

// close cancels all, and waits until they have ended.
func (s *redrives) close() {
	s.mu.Lock()
	s.closed = true
	for _, j := range s.jobs {
		j.cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// show is a job as JSON.
func (j *redriveJob) show() object {
	o := object{
		{"id", j.id}, {"vhost", j.vhost}, {"queue", j.queue}, {"user", j.user}, {"state", j.state}, {"reason", absent},
		{"dry_run", j.dryRun}, {"rate", j.rate}, {"started", timeOrAbsent(j.started)}, {"ended", timeOrAbsent(j.ended)},
		{"total", j.total}, {"scanned", j.at.Scanned}, {"matched", j.at.Matched}, {"redriven", j.at.Done},
		{"unroutable", j.at.Unroutable}, {"refused", j.at.Refused}, {"duplicates", j.at.Duplicates},
		{"forbidden", j.at.Forbidden}, {"gone", j.at.Gone}, {"no_origin", j.at.NoOrigin}, {"targets", showTargets(j.at.Targets)},
	}
	if j.reason != "" {
		o[5].value = j.reason
	}
	return o
}

// showTargets lists where messages have gone, the most first.
func showTargets(targets map[vhost.RedriveTarget]int) []object {
	keys := slices.SortedFunc(maps.Keys(targets), func(a, b vhost.RedriveTarget) int {
		return cmp.Or(cmp.Compare(targets[b], targets[a]), cmp.Compare(a.Queue, b.Queue),
			cmp.Compare(a.Exchange, b.Exchange), cmp.Compare(a.Key, b.Key))
	})
	out := []object{}
	for _, t := range keys {
		o := object{{"queue", absent}, {"exchange", t.Exchange}, {"routing_key", t.Key}, {"messages", targets[t]}}
		if t.Queue != "" {
			o[0].value = t.Queue
		}
		out = append(out, o)
	}
	return out
}
