package mgmt

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The sizes of pages, as in RabbitMQ.
const (
	defaultPage = 100
	largestPage = 500
)

// page is a part of a list.
type page struct {
	Filtered  int `json:"filtered_count"`
	ItemCount int `json:"item_count"`
	Items     any `json:"items"`
	Page      int `json:"page"`
	PageCount int `json:"page_count"`
	PageSize  int `json:"page_size"`
	Total     int `json:"total_count"`
}

// respondList answers with a list of objects as the query wants it: sort and
// sort_reverse, columns, and page with page_size, name and use_regex. Without page
// it is a bare array. What is left out is not worked out. name is what a filter
// looks at.
func respondList[T any](w http.ResponseWriter, r *request, items []T, s shape[T], name func(T) string) error {
	q := r.URL.Query()
	if err := sortAsAsked(items, s, q); err != nil {
		return err
	}
	if !q.Has("page") {
		return respond(w, http.StatusOK, render(items, s, askedColumns(q)))
	}
	p, err := readPage(q)
	if err != nil {
		return err
	}
	p.Total = len(items)
	if items, err = filterByName(items, name, q.Get("name"), q.Get("use_regex") == "true"); err != nil {
		return err
	}
	if items, err = cut(&p, items); err != nil {
		return err
	}
	p.Items = render(items, s, askedColumns(q))
	return respond(w, http.StatusOK, p)
}

// errPagination is for what is no number, or no regular expression.
var errPagination = &refusal{http.StatusBadRequest, "bad_request", "Pagination parameters are invalid"}

// readPage reads which page a query wants.
func readPage(q url.Values) (page, error) {
	number, err := strconv.Atoi(q.Get("page"))
	if err != nil || strings.HasPrefix(q.Get("page"), "+") {
		return page{}, errPagination
	}
	size, said := defaultPage, "undefined"
	if q.Has("page_size") {
		if size, err = strconv.Atoi(q.Get("page_size")); err != nil {
			return page{}, errPagination
		}
		said = strconv.Itoa(size)
	}
	if number < 1 || size < 1 || size > largestPage {
		return page{}, &refusal{http.StatusBadRequest, "invalid_pagination_parameters",
			fmt.Sprintf("Invalid pagination parameters: page number %d, page size %s", number, said)}
	}
	return page{Page: number, PageSize: size}, nil
}

// cut takes the items of a page out of all that have passed the filter. The first page
// may be empty.
func cut[T any](p *page, items []T) ([]T, error) {
	p.Filtered = len(items)
	p.PageCount = (len(items) + p.PageSize - 1) / p.PageSize
	if p.Page > max(p.PageCount, 1) {
		return nil, &refusal{http.StatusBadRequest, "page_out_of_range",
			fmt.Sprintf("Page out of range, page: %d page size: %d, len: %d", p.Page, p.PageSize, len(items))}
	}
	from := (p.Page - 1) * p.PageSize
	items = items[from:min(from+p.PageSize, len(items))]
	p.ItemCount = len(items)
	return items, nil
}

// respondOne answers with one object, of which columns may be asked for.
func respondOne[T any](w http.ResponseWriter, r *request, of T, s shape[T]) error {
	if c := askedColumns(r.URL.Query()); c != nil {
		return respond(w, http.StatusOK, s.pick(of, c))
	}
	return respond(w, http.StatusOK, s.object(of))
}

// askedColumns are those of a query; nil for all.
func askedColumns(q url.Values) [][]string { return columns(q.Get("columns")) }

func render[T any](items []T, s shape[T], columns [][]string) []object {
	objects := make([]object, len(items))
	for i, item := range items {
		if columns == nil {
			objects[i] = s.object(item)
		} else {
			objects[i] = s.pick(item, columns)
		}
	}
	return objects
}

// columns reads a query like a,b.c: each is a path. Without any it is nil, for all.
func columns(query string) (paths [][]string) {
	for c := range strings.SplitSeq(query, ",") {
		path := strings.FieldsFunc(c, func(r rune) bool { return r == '.' })
		if len(path) > 0 {
			paths = append(paths, path)
		}
	}
	return paths
}

// filterByName keeps what has a text in its name, in any case, or is matched by it.
func filterByName[T any](items []T, name func(T) string, text string, isPattern bool) ([]T, error) {
	if text == "" {
		return items, nil
	}
	if isPattern {
		p, err := regexp.Compile("(?i)" + text)
		if err != nil {
			return nil, errPagination
		}
		return slices.DeleteFunc(items, func(item T) bool { return !p.MatchString(name(item)) }), nil
	}
	text = strings.ToLower(text)
	return slices.DeleteFunc(items, func(item T) bool { return !strings.Contains(strings.ToLower(name(item)), text) }), nil
}

// mostSortPaths is how many paths a list may be sorted by: each takes memory for each
// item.
const mostSortPaths = 100

// sortAsAsked sorts as a query wants it, if it does.
func sortAsAsked[T any](items []T, s shape[T], q url.Values) error {
	by := q.Get("sort")
	if by == "" {
		return nil
	}
	if strings.Count(by, ",") >= mostSortPaths {
		return badRequest("sort: a list can be sorted by %d columns at most", mostSortPaths)
	}
	sortBy(items, s, strings.Split(by, ","), q.Get("sort_reverse") == "true")
	return nil
}

// sortBy sorts by what is at paths, the first of which weighs most; in reverse what is
// equal is turned round too, as in RabbitMQ. The keys are worked out once.
func sortBy[T any](items []T, s shape[T], paths []string, reverse bool) {
	type keyed struct {
		item T
		keys []sortKey
	}
	all := make([]keyed, len(items))
	for i, item := range items {
		all[i] = keyed{item, make([]sortKey, len(paths))}
		for at, path := range paths {
			all[i].keys[at] = sortKeyOf(s.at(item, path))
		}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return slices.CompareFunc(a.keys, b.keys, sortKey.compare) })
	for i := range all {
		items[i] = all[i].item
	}
	if reverse {
		slices.Reverse(items)
	}
}

// sortKey is a value as it is sorted by: numbers, of which what is absent is 0, before
// booleans and null, objects and texts.
type sortKey struct {
	rank   int
	number float64
	text   string
}

func (a sortKey) compare(b sortKey) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.number, b.number), cmp.Compare(a.text, b.text))
}

func sortKeyOf(v any) sortKey {
	if v == absent {
		return sortKey{}
	}
	switch v := reflect.ValueOf(v); {
	case v.CanInt():
		return sortKey{number: float64(v.Int())}
	case v.CanUint():
		return sortKey{number: float64(v.Uint())}
	case v.CanFloat():
		return sortKey{number: v.Float()}
	case v.Kind() == reflect.Bool:
		return sortKey{rank: 1, text: strconv.FormatBool(v.Bool())}
	case v.Kind() == reflect.String:
		return sortKey{rank: 4, text: v.String()}
	case v.Kind() == reflect.Invalid: // null
		return sortKey{rank: 2}
	}
	return sortKey{rank: 3}
}
