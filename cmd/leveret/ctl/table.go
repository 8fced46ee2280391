package ctl

import (
	"io"
	"strings"
	"unicode/utf8"
)

const (
	gap      = 2 // spaces between columns
	narrow   = 6 // no column is made narrower than this to fit
	ellipsis = "…"
)

// aligned prints a table for people: columns under each other and, on a terminal,
// cells shortened so that a row is one line.
func (c *call) aligned(names []string, rows [][]any) error {
	lines := make([][]string, 0, len(rows)+1)
	if !c.headless() {
		lines = append(lines, names)
	}
	for _, row := range rows {
		lines = append(lines, texts(row))
	}
	widths := make([]int, len(names))
	for _, line := range lines {
		for i, cell := range line {
			line[i] = printable(cell, "")
			widths[i] = max(widths[i], utf8.RuneCountInString(line[i]))
		}
	}
	if screen := c.env.width(); screen > 0 {
		shrink(widths, screen)
	}
	var b strings.Builder
	for _, line := range lines {
		row := make([]string, len(line))
		for i, cell := range line {
			cell = shortened(cell, widths[i])
			row[i] = cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gap)
		}
		b.WriteString(strings.TrimRight(strings.Join(row, ""), " ") + "\n")
	}
	_, err := io.WriteString(c.env.Stdout, b.String())
	return err
}

// shrink takes from the widest columns what is too much for a screen. If even
// narrow columns are too wide together, the terminal wraps them.
func shrink(widths []int, screen int) {
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for total > screen {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrow {
			return
		}
		widths[widest]--
		total--
	}
}

func shortened(cell string, width int) string {
	if utf8.RuneCountInString(cell) <= width {
		return cell
	}
	runes := []rune(cell)
	return string(runes[:max(width-1, 0)]) + ellipsis
}
