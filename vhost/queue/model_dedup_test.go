package queue

import "time"

// modelKey is a key that was seen.
type modelKey struct {
	key     string
	expires int64 // 0: never
}

// seen reports whether a message is a duplicate: the last time that its key was
// seen counts, if that is among the last so many of all keys.
func (m *model) seen(msg modelMessage) bool {
	for i := len(m.keys) - 1; i >= 0; i-- {
		if k := m.keys[i]; k.key == msg.key {
			return k.expires == 0 || k.expires > m.now
		}
	}
	return false
}

// remember notes the key of a message that has entered.
func (m *model) remember(msg modelMessage) {
	o := m.base.Dedup
	if o == nil || msg.key == "" || msg.keyTTL == 0 {
		return
	}
	ttl := o.TTL
	if msg.keyTTL > 0 {
		ttl = time.Duration(msg.keyTTL) * time.Millisecond
	}
	k := modelKey{key: msg.key}
	if ttl > 0 {
		k.expires = m.now + int64(ttl)
	}
	m.keys = append(m.keys, k)
	if len(m.keys) > o.Size {
		m.keys = m.keys[1:]
	}
}
