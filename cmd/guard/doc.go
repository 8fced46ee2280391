// Package guard holds the house rules as tests, over the whole tree: which
// package may import which, how long files and functions may be, what must be
// documented, and what does not belong. It has no code of its own.
//
// table_test.go is the table of rooms: a new package gets its row there. Each
// rule is a function from a file or a tree to a list of complaints, and
// rules_test.go shows that each can complain.
package guard
