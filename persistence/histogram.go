package persistence

// histogramBounds is how many upper bounds a Histogram has.
const histogramBounds = 12

// The upper bounds of the histograms in Stats.
var (
	CommitBounds = [histogramBounds]float64{50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1}
	SizeBounds   = [histogramBounds]float64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000}
)

// Histogram counts values by the bounds that they are within.
type Histogram struct {
	// Counts are the values up to a bound and above the one before it; the last are
	// those above all.
	Counts [histogramBounds + 1]uint64
	Sum    float64
}

// Note counts a value.
func (h *Histogram) Note(value float64, bounds *[histogramBounds]float64) {
	i := 0
	for i < histogramBounds && value > bounds[i] {
		i++
	}
	h.Counts[i]++
	h.Sum += value
}
