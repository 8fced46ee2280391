package policy

import (
	"regexp"
	"strings"
)

// Pattern is what names must match, anywhere in them unless it says otherwise. Use
// Compile.
//
// RabbitMQ has Perl's regular expressions, and Go those that are linear in the
// length of the name. What the latter lack is refused, but for one thing that many
// policies have: to look ahead at the begin, as ^(?!amq\.) does.
type Pattern struct {
	match *regexp.Regexp
	ahead []lookahead
}

// lookahead must match at the begin, or must not.
type lookahead struct {
	match *regexp.Regexp
	not   bool
}

// Compile reads a pattern; the error says what is wrong with it, or which of Perl's
// means it uses that there are not.
func Compile(text string) (Pattern, error) {
	var p Pattern
	rest, anchored := strings.CutPrefix(text, "^")
	for anchored && (strings.HasPrefix(rest, "(?!") || strings.HasPrefix(rest, "(?=")) {
		end, _ := scan(rest)
		if end < 0 {
			break // the compiler says what is missing
		}
		match, err := regexp.Compile(`\A(?:` + rest[3:end] + ")")
		if err != nil {
			return p, err
		}
		p.ahead = append(p.ahead, lookahead{match, rest[2] == '!'})
		rest = rest[end+1:]
	}
	if len(p.ahead) > 0 {
		if _, alternatives := scan(rest); alternatives || quantified(rest) {
			p.ahead = nil // it is for the first alternative only, or may be left out
		} else {
			text = `\A(?:` + rest + ")"
		}
	}
	var err error
	p.match, err = regexp.Compile(text)
	return p, err
}

// quantified reports whether what is before the rest may be there some other
// number of times than once.
func quantified(rest string) bool { return rest != "" && strings.ContainsRune("?*+{", rune(rest[0])) }

// scan finds the end of the group with which a pattern begins, -1 if there is none,
// and reports whether there are alternatives outside of all groups.
func scan(text string) (end int, alternatives bool) {
	depth, class := 0, -1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case class >= 0: // a bracket that comes first is one of the class
			if c == ']' && i > class+1 && (i != class+2 || text[class+1] != '^') {
				class = -1
			}
		case c == '[':
			class = i
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 && text[0] == '(' {
				return i, alternatives
			}
		case c == '|' && depth == 0:
			alternatives = true
		}
	}
	return -1, alternatives
}

// Matches reports whether a name is one that the pattern is for.
func (p *Pattern) Matches(name string) bool {
	for _, a := range p.ahead {
		if a.match.MatchString(name) == a.not {
			return false
		}
	}
	return p.match.MatchString(name)
}
