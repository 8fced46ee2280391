package mgmt

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
)

var browseEndpoints = []endpoint{
	{http.MethodGet, "/api/leveret/queues/{vhost}/{queue}/messages", entrant, (*API).browse},
}

// The bounds of a browse. When it has looked for so long it answers with what it has
// found by then, and where to go on.
const (
	browseDefault   = 50
	browseMost      = 500
	browseBytes     = 8 << 20
	browseBytesMost = 32 << 20
	browseTruncate  = 50_000
	browseFor       = 10 * time.Second
)

// browsing is what a request wants shown.
type browsing struct {
	filter            vhost.Filter
	after             queue.Cursor
	offset, limit     int
	truncate, maximum int // bytes of a payload, and of all together
	base64            bool
}

// browsingOf reads the query of a browse.
func browsingOf(r *request) (b browsing, err error) {
	names := append([]string{"cursor", "offset", "limit", "truncate", "max_bytes", "encoding"}, filterQueries...)
	q, err := r.queryOf(names...)
	if err != nil {
		return b, err
	}
	if b.filter, err = filterOfQuery(q); err != nil {
		return b, err
	}
	if text := r.URL.Query().Get("cursor"); text != "" {
		if b.after, err = queue.ParseCursor(text); err != nil {
			return b, badRequest("cursor: %q is %s", text, err)
		}
	}
	for _, n := range []struct {
		name                 string
		without, least, most int
		to                   *int
	}{
		{"offset", 0, 0, 1 << 30, &b.offset},
		{"limit", browseDefault, 1, browseMost, &b.limit},
		{"truncate", browseTruncate, 0, browseBytesMost, &b.truncate},
		{"max_bytes", browseBytes, 1, browseBytesMost, &b.maximum},
	} {
		if *n.to, err = r.integer(n.name, n.without, n.least, n.most); err != nil {
			return b, err
		}
	}
	switch text := r.URL.Query().Get("encoding"); text {
	case "", "auto":
	case "base64":
		b.base64 = true
	default:
		return b, badRequest("encoding: %q is neither auto nor base64", text)
	}
	return b, nil
}

// integer reads a number of the query, from least to most.
func (r *request) integer(name string, without, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badRequest("%s: %q is not an integer from %d to %d", name, text, least, most)
	}
	return n, nil
}

// browse shows messages of a queue, and changes nothing.
func (a *API) browse(w http.ResponseWriter, r *request) error {
	b, err := browsingOf(r)
	if err != nil {
		return err
	}
	q, err := a.readable(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), browseFor)
	defer cancel()
	p := &browsed{browsing: b, api: a, ctx: ctx, now: time.Now(), known: map[uint64]bool{}}
	next, end, err := q.Browse(queue.Look{After: b.after, Pick: p.pick}, p.visit)
	switch {
	case err != nil:
		return err
	case p.err != nil:
		return p.err
	}
	if p.messages == nil {
		p.messages = []object{}
	}
	answer := object{{"messages", p.messages}, {"next_cursor", absent}, {"scanned", p.scanned}}
	if !end {
		answer[1].value = next.String()
	}
	patiently(w)
	s := q.Stats()
	answer = append(answer, member{"ready", s.Ready}, member{"unacked", s.Unacked}, member{"delayed", s.Held})
	return respond(w, http.StatusOK, answer)
}

// readable is the queue in the path, if the user may read from it. It may be anybody's.
func (a *API) readable(r *request) (*queue.Queue, error) {
	actor, err := a.actor(r)
	if err != nil {
		return nil, err
	}
	name := r.names["queue"]
	q := r.vhost.QueueNamed(name)
	if q == nil {
		return nil, errNotFound
	}
	return q, actor.MayReadQueue(name)
}

// browsed is a browse under way.
type browsed struct {
	browsing
	api      *API
	ctx      context.Context
	now      time.Time
	scanned  int
	size     int
	messages []object
	known    map[uint64]bool // what is shown already
	err      error
}

func (p *browsed) pick(b *queue.Browsed) bool {
	p.scanned++
	return p.filter.Pick(b, p.now)
}

// visit takes a message, and reports whether to go on.
func (p *browsed) visit(b *queue.Browsed) bool {
	if !p.filter.Match(b.Message) || p.known[b.ID] {
		return p.ctx.Err() == nil
	}
	if p.offset > 0 {
		p.offset--
		return p.ctx.Err() == nil
	}
	shown, err := p.show(b)
	if err != nil {
		p.err = err
		return false
	}
	p.known[b.ID] = true
	p.messages = append(p.messages, shown)
	return p.ctx.Err() == nil && len(p.messages) < p.limit && p.size < p.maximum
}

// show is a message as JSON.
func (p *browsed) show(b *queue.Browsed) (object, error) {
	cut := min(p.truncate, max(p.maximum-p.size, 0))
	o, err := showMessage(b.Message, cut, p.base64)
	if err != nil {
		return nil, err
	}
	p.size += min(cut, b.Size)
	o = slices.Insert(o, 0, member{"id", b.ID}, member{"state", b.State.String()})
	o = append(o, member{"redelivered", b.Redelivered}, member{"returns", b.Returns},
		member{"expires", timeOrAbsent(b.Expires)}, member{"due", timeOrAbsent(b.Due)})
	if !b.CameBefore.IsZero() {
		o = append(o, member{"age_ms", max(p.now.Sub(b.CameBefore), 0).Milliseconds()})
	}
	if b.State == queue.StateUnacked {
		o = append(o, member{"owner", p.api.owner(b)})
	}
	return o, nil
}

// showMessage is what a message is wherever it lies, with so many bytes of the payload.
func showMessage(m *amqp.Message, truncate int, inBase64 bool) (object, error) {
	properties, err := shownProperties(m.Properties)
	if err != nil {
		return nil, err
	}
	if list, ok := properties.([]any); ok && len(list) == 0 {
		properties = object{} // RabbitMQ's empty list is no use here
	}
	body := m.Body[:min(len(m.Body), truncate)]
	text, encoding := string(body), "string"
	if whole := validPrefix(body, len(body) < len(m.Body)); inBase64 || whole < 0 {
		text, encoding = base64.StdEncoding.EncodeToString(body), "base64"
	} else {
		text = text[:whole]
	}
	return object{
		{"exchange", m.Exchange}, {"routing_key", m.RoutingKey}, {"priority", m.Priority}, {"persistent", m.Persistent},
		{"payload_bytes", len(m.Body)}, {"payload", text}, {"payload_encoding", encoding},
		{"payload_truncated", len(body) < len(m.Body)}, {"properties", properties},
	}, nil
}

// validPrefix is how much of a text is whole, if all of it is one or, where it was cut,
// all but a rune at the end; negative if it is no text.
func validPrefix(body []byte, isCut bool) int {
	if utf8.Valid(body) {
		return len(body)
	}
	for n := 1; isCut && n < utf8.UTFMax && n < len(body); n++ {
		if utf8.Valid(body[:len(body)-n]) {
			return len(body) - n
		}
	}
	return -1
}

// owner is who has a message.
func (a *API) owner(b *queue.Browsed) object {
	since := timeOrAbsent(b.Since)
	if b.Consumer == nil {
		return object{{"get", true}, {"since", since}}
	}
	k := b.Consumer.Key
	o := object{{"connection_id", k.Connection}, {"channel", k.Channel}, {"consumer_tag", k.Tag}, {"since", since}}
	if ref, ok := a.broker.ConnectionRef(k.Connection); ok {
		o = slices.Insert(o, 0, member{"connection", ref.Name})
	}
	return o
}

// timeOrAbsent is a time in UTC, if it is one.
func timeOrAbsent(t time.Time) any {
	if t.IsZero() {
		return absent
	}
	return t.UTC().Format(time.RFC3339Nano)
}
