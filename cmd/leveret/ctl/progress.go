package ctl

import (
	"io"

	"github.com/schollz/progressbar/v3"
)

// bar is a progress bar, or nothing where nobody would see one.
type bar struct{ shown *progressbar.ProgressBar }

// bar begins one; total -1: it is not known.
func (c *call) bar(what string, total int64, bytes bool) *bar {
	if !c.env.progress() || c.quiet() {
		return &bar{}
	}
	return &bar{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(c.env.Stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionFullWidth(),
		progressbar.OptionThrottle(barPace),
	)}
}

// reading counts what is read from r.
func (b *bar) reading(r io.Reader) io.Reader {
	if b.shown == nil {
		return r
	}
	return io.TeeReader(r, b.shown)
}

// set says how much is done, of how much.
func (b *bar) set(done, total int64) {
	if b.shown == nil {
		return
	}
	if total > 0 && total != b.shown.GetMax64() {
		b.shown.ChangeMax64(total)
	}
	// A bar that is full ends its line; end does that.
	b.shown.Set64(min(done, max(b.shown.GetMax64()-1, 0)))
}

// end takes the bar away; it may be called twice.
func (b *bar) end() {
	if b.shown != nil {
		b.shown.Finish()
		b.shown = nil
	}
}
