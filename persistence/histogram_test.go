package persistence

import "testing"

func TestHistogram(t *testing.T) {
	var h Histogram
	for _, v := range []float64{0, 1, 1, 1.5, 2000, 2001} {
		h.Note(v, &SizeBounds)
	}
	want := Histogram{Sum: 4004.5}
	want.Counts[0], want.Counts[1], want.Counts[2], want.Counts[11], want.Counts[12] = 1, 2, 1, 1, 1
	if h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
}
