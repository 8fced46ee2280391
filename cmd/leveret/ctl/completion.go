package ctl

import (
	"fmt"
	"slices"
	"strings"
)

// completion prints a script that makes a shell complete the program's commands, and
// the verbs and options of ctl.
func completion(c *call) error {
	words := shellWords{program: "leveret", commands: c.env.Commands}
	if c.tool.script() {
		words.program, words.commands = string(c.tool), nil
	}
	slices.Sort(words.commands)
	scripts := map[string]func() string{"bash": words.bash, "zsh": words.zsh, "fish": words.fish}
	script, ok := scripts[c.args[0]]
	if !ok {
		return misused(exitUsage, "there is no completion for %q: use one of bash, zsh, fish", c.args[0])
	}
	_, err := fmt.Fprint(c.env.Stdout, script())
	return err
}

// shellWords are what a shell can complete. Without commands the program has its verbs
// as its commands, as under RabbitMQ's names.
type shellWords struct {
	program  string
	commands []string
}

// flags are the options of a verb, or those of all for an empty name.
func flags(name string) (list []string) {
	for _, o := range globals {
		if o.about != "no meaning here, accepted because scripts pass it" {
			list = append(list, "--"+o.name)
		}
	}
	if v, ok := verbNamed(name); ok {
		for _, o := range v.options {
			list = append(list, "--"+o)
		}
	}
	return list
}

// valued is a shell pattern of the options that take a value.
func valued() string {
	var list []string
	for _, options := range [][]option{globals, specials} {
		for _, o := range options {
			if o.kind == flagOption {
				continue
			}
			list = append(list, "--"+o.name)
			if o.short != 0 {
				list = append(list, "-"+string(rune(o.short)))
			}
		}
	}
	return strings.Join(list, "|")
}

// identifier is the program's name as a shell function can be called.
func (w shellWords) identifier() string { return "_" + strings.ReplaceAll(w.program, "-", "_") }

// cases are the branches of a shell's case that give the words after a verb.
func (w shellWords) cases() string {
	var b strings.Builder
	for _, name := range verbNames() {
		fmt.Fprintf(&b, "    %s) words=%q ;;\n", name, strings.Join(append(columnsOf(name), flags(name)...), " "))
	}
	return b.String()
}

// finder is shell code, for bash and zsh, that finds the verb before the word at $cur_at
// in the array named words_in, and sets words to what can follow.
func (w shellWords) finder(first int) string {
	var b strings.Builder
	start := first + 1
	if w.commands != nil {
		fmt.Fprintf(&b, "  if (( at == %d )); then reply=%q; return; fi\n", start, strings.Join(w.commands, " "))
		fmt.Fprintf(&b, "  [[ ${line[%d]} == ctl ]] || return\n", start)
		start++
	}
	fmt.Fprintf(&b, "  for (( i = %d; i < at; i++ )); do\n    case ${line[i]} in\n      %s) (( i++ )) ;;\n      -*) ;;\n      *) verb=${line[i]}; break ;;\n    esac\n  done\n", start, valued())
	fmt.Fprintf(&b, "  case $verb in\n    '') words=%q ;;\n    help) words=%q ;;\n    completion) words=\"bash zsh fish\" ;;\n%s  esac\n  reply=$words\n",
		strings.Join(append(verbNames(), flags("")...), " "), strings.Join(verbNames(), " "), w.cases())
	return b.String()
}

func (w shellWords) bash() string {
	return fmt.Sprintf(`# bash completion of %[1]s
%[2]s_words() {
  local i verb= words= at=$COMP_CWORD
  local line=("${COMP_WORDS[@]}")
%[3]s}
%[2]s() {
  local reply=
  %[2]s_words
  COMPREPLY=($(compgen -W "$reply" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F %[2]s %[1]s
`, w.program, w.identifier(), w.finder(0))
}

func (w shellWords) zsh() string {
	return fmt.Sprintf(`#compdef %[1]s
%[2]s_words() {
  local i verb= words= at=$1
  shift
  local line=("$@")
%[3]s}
%[2]s() {
  local reply=
  %[2]s_words $CURRENT "${words[@]}"
  compadd -- ${=reply}
}
compdef %[2]s %[1]s
`, w.program, w.identifier(), w.finder(1))
}

func (w shellWords) fish() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion of %s\n", w.program)
	verbs, none := strings.Join(verbNames(), " "), "not __fish_seen_subcommand_from "+strings.Join(verbNames(), " ")
	if w.commands != nil {
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -f -a %q\n", w.program, strings.Join(w.commands, " "))
		none = "__fish_seen_subcommand_from ctl; and " + none
	}
	fmt.Fprintf(&b, "complete -c %s -n %q -f -a %q\n", w.program, none, verbs)
	for _, name := range verbNames() {
		v, _ := verbNamed(name)
		seen := "__fish_seen_subcommand_from " + name
		if columns := columnsOf(name); len(columns) > 0 {
			fmt.Fprintf(&b, "complete -c %s -n %q -f -a %q\n", w.program, seen, strings.Join(columns, " "))
		}
		for _, option := range v.options {
			o, _ := optionNamed(option)
			fmt.Fprintf(&b, "complete -c %s -n %q %s\n", w.program, seen, fishOption(o))
		}
	}
	in := "__fish_seen_subcommand_from " + verbs
	for _, o := range globals {
		fmt.Fprintf(&b, "complete -c %s -n %q %s\n", w.program, in, fishOption(o))
	}
	return b.String()
}

func fishOption(o option) string {
	s := fmt.Sprintf("-l %s -d %q", o.name, o.about)
	if o.short != 0 {
		s = fmt.Sprintf("-s %q ", string(rune(o.short))) + s
	}
	if o.kind != flagOption {
		s += " -r"
	}
	return s
}
