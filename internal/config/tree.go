package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/errcode"
)

// value is one node with its place in the files and in the configuration.
type value struct {
	l    *loader
	doc  *document
	node *yaml.Node
	path string
}

// at is v's node under another place: aliases are followed here, so that nobody else meets them.
func (v value) at(node *yaml.Node, path string) value {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return value{l: v.l, doc: v.doc, node: node, path: path}
}

// fail records a mistake at the value.
func (v value) fail(code errcode.Code, format string, args ...any) {
	v.failAt(place{v.node.Line, v.node.Column}, code, format, args...)
}

func (v value) failAt(at place, code errcode.Code, format string, args ...any) {
	v.l.problems = append(v.l.problems, v.problem(at, SeverityError, code, format, args...))
}

// failErr records an error that brings its code along.
func (v value) failErr(err error) {
	code, known := errcode.Of(err)
	if !known {
		code = errcode.InvalidConfiguration
	}
	v.fail(code, "%v", err)
}

func (v value) warn(code errcode.Code, format string, args ...any) {
	v.l.warnings = append(v.l.warnings, v.problem(place{v.node.Line, v.node.Column}, SeverityWarning, code, format, args...))
}

// problem leaves Source to the end: only then are all secrets known that it must not show.
func (v value) problem(at place, severity Severity, code errcode.Code, format string, args ...any) Problem {
	for i, arg := range args {
		if text, isText := arg.(string); isText {
			args[i] = abridged(text)
		}
	}
	line, column := v.doc.clamp(at.line, at.column)
	return Problem{File: v.doc.file, Line: line, Column: column, Path: abridged(v.path), Severity: severity, Code: code, Message: fmt.Sprintf(format, args...)}
}

// abridged keeps a value that fills pages from filling the screen.
func abridged(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	runes := []rune(text)
	return string(runes[:min(len(runes), most/2)]) + "…"
}

// where names the value's place for a message about another one.
func (v value) where(from value) string {
	if v.doc == from.doc {
		return fmt.Sprintf("line %d", v.node.Line)
	}
	return fmt.Sprintf("%s:%d", v.doc.file, v.node.Line)
}

// entry is one key of a mapping with its value.
type entry struct {
	key  string
	name value // the key's own place
	val  value
}

// entries returns a mapping's keys in the order of the file. want finishes the sentence "X must be …".
func (v value) entries(want string) ([]entry, bool) {
	if v.node.Kind != yaml.MappingNode {
		v.wrongType(want)
		return nil, false
	}
	entries := make([]entry, 0, len(v.node.Content)/2)
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		name := v.at(v.node.Content[i], v.path)
		if !readableKey(name.node) {
			continue // checkShape has said so
		}
		path := joinPath(v.path, name.node.Value)
		name.path = path
		entries = append(entries, entry{name.node.Value, name, v.at(v.node.Content[i+1], path)})
	}
	return entries, true
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// list returns a sequence's values.
func (v value) list(want string) ([]value, bool) {
	if v.node.Kind != yaml.SequenceNode {
		v.wrongType(want)
		return nil, false
	}
	values := make([]value, len(v.node.Content))
	for i, node := range v.node.Content {
		values[i] = v.at(node, fmt.Sprintf("%s[%d]", v.path, i))
	}
	return values, true
}

// isEmpty reports a key that was begun and not filled in, as in a half-written file.
func (v value) isEmpty() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null" }

// name is what a message calls the value: its key, or its place in a list, counted as people count.
func (v value) name() string {
	if v.path == "" {
		return "the file"
	}
	name := v.path[strings.LastIndexByte(v.path, '.')+1:]
	if strings.HasSuffix(v.path, ".buttons."+name) {
		return "button " + name
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	if list, index, ok := entryOf(v.path); ok {
		parts := strings.Split(list, ".")
		parts = parts[max(0, len(parts)-2):]
		if strings.Contains(parts[0], "[") {
			parts = parts[1:]
		}
		return fmt.Sprintf("entry %d of %s", index+1, strings.Join(parts, "."))
	}
	return name
}

// entryOf takes numbers[0] apart.
func entryOf(name string) (list string, index int, ok bool) {
	open := strings.LastIndexByte(name, '[')
	if open < 0 || !strings.HasSuffix(name, "]") {
		return "", 0, false
	}
	index, err := strconv.Atoi(name[open+1 : len(name)-1])
	return name[:open], index, err == nil
}

func (v value) wrongType(want string) {
	if v.isEmpty() {
		v.fail(errcode.EmptyValue, "%s has no value: it must be %s; write it or remove the key", v.name(), want)
		return
	}
	v.fail(errcode.WrongType, "%s must be %s, not %s", v.name(), want, v.kind())
}

func (v value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a group of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	switch v.node.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

// object is a mapping whose keys are known.
type object struct {
	value
	known   section
	entries map[string]entry
	// misspelt holds the keys that an unknown one was taken for: they are not missing as well.
	misspelt map[string]bool
}

// object reads a mapping of known keys: unknown ones are mistakes.
func (v value) object(known section) (object, bool) {
	entries, ok := v.entries(known.want())
	if !ok {
		return object{}, false
	}
	o := object{value: v, known: known, entries: make(map[string]entry, len(entries)), misspelt: map[string]bool{}}
	for _, e := range entries {
		_, found := known.key(e.key)
		switch {
		case !found:
			code, hint := known.hint(e.key)
			e.name.fail(code, "unknown key %q%s", e.key, hint)
			o.misspelt[known.near(e.key)] = true
		case !o.has(e.key): // of a key written twice, which checkShape reports, the first counts
			o.entries[e.key] = e
		}
	}
	return o, true
}

func (o object) has(key string) bool { _, found := o.entries[key]; return found }

// get returns the value of an optional key.
func (o object) get(key string) (value, bool) {
	e, found := o.entries[key]
	return e.val, found
}

// require returns the value of a key; why says what is missing without it, where the table of keys wants it there.
func (o object) require(key, why string) (value, bool) {
	e, found := o.entries[key]
	if row, known := o.known.key(key); !found && known && row.required {
		o.missing(key, why)
	}
	return e.val, found
}

// missing reports a key that is not there, unless it is there misspelt.
func (o object) missing(key, why string) {
	if !o.misspelt[key] {
		o.fail(errcode.MissingKey, "%s is missing%s: %s", key, o.within(), why)
	}
}

// exactlyOne refuses a group with several of the keys, or none; one that was misspelt is one.
func (o object) exactlyOne(keys ...string) {
	var given []string
	for _, key := range keys {
		if o.has(key) {
			given = append(given, key)
		}
	}
	if len(given) == 0 && slices.ContainsFunc(keys, func(key string) bool { return o.misspelt[key] }) {
		return
	}
	if len(given) == 0 {
		o.fail(errcode.ExactlyOneOf, "%s needs one of %s", o.name(), orList(keys))
		return
	}
	o.fail(errcode.ExactlyOneOf, "%s has both %s: keep one of them", o.name(), strings.Join(given, " and "))
}

func (o object) within() string {
	list, _, isEntry := entryOf(o.path)
	switch {
	case o.path == "":
		return ""
	case !isEntry:
		return " in " + o.name()
	case list == "campaigns":
		if id, found := o.get("id"); found && idShape.MatchString(id.node.Value) {
			return " in the campaign " + id.node.Value
		}
	}
	return " in this " + strings.TrimSuffix(list[strings.LastIndexByte(list, '.')+1:], "s")
}
