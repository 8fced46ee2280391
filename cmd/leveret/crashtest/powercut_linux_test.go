package crashtest

import (
	"path/filepath"
	"testing"
	"time"
)

// A power cut is a kill, and besides the disk has nothing but what was synced.
// The broker goes on for a moment on the dead disk, and must not confirm what it
// can no longer write.
func TestPowerCut(t *testing.T) {
	rounds := number(t, "LEVERET_TEST_CUTS", 2, 20)
	v := newImage(t, 2048)
	x := newTrial(t, filepath.Join(v.dir, "data"), "--sync=always", "--disk-free-limit=128MiB")
	for range rounds {
		x.round(func(b *broker) {
			x.l.powerCut()
			x.c.setDeaf(true)
			v.shutDown()
			x.l.lightsOut()
			<-time.After(50 * time.Millisecond)
			// It may have died of its disk, which is allowed to it alone here.
			b.killQuietly()
			v.unmount()
			must(t, v.mount(), "mount again")
		})
		if t.Failed() {
			break
		}
	}
	x.finish()
	v.unmount()
}
