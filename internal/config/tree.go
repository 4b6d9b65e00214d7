package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
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
func (v value) fail(format string, args ...any) {
	v.failAt(place{v.node.Line, v.node.Column}, format, args...)
}

func (v value) failAt(at place, format string, args ...any) {
	v.l.problems = append(v.l.problems, v.problem(at, fmt.Sprintf(format, args...)))
}

func (v value) warn(format string, args ...any) {
	v.l.warnings = append(v.l.warnings, v.problem(place{v.node.Line, v.node.Column}, fmt.Sprintf(format, args...)))
}

// problem leaves Source to the end: only then are all secrets known that it must not show.
func (v value) problem(at place, message string) Problem {
	line, column := v.doc.clamp(at.line, at.column)
	return Problem{File: v.doc.file, Line: line, Column: column, Path: v.path, Message: message}
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
			continue // checkTree has said so
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

func (v value) name() string {
	if v.path == "" {
		return "the file"
	}
	name := v.path[strings.LastIndexByte(v.path, '.')+1:]
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

func (v value) wrongType(want string) {
	if v.isEmpty() {
		v.fail("%s has no value: it must be %s; write it or remove the key", v.name(), want)
		return
	}
	v.fail("%s must be %s, not %s", v.name(), want, v.kind())
}

func (v value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
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

// object reads a mapping of known keys: unknown ones and those that are not built yet are mistakes.
func (v value) object(known section) (object, bool) {
	entries, ok := v.entries(known.want())
	if !ok {
		return object{}, false
	}
	o := object{value: v, known: known, entries: make(map[string]entry, len(entries)), misspelt: map[string]bool{}}
	for _, e := range entries {
		k, found := known.key(e.key)
		switch {
		case !found:
			e.name.fail("unknown key %q%s", e.key, known.hint(e.key))
			o.misspelt[known.near(e.key)] = true
		case k.later != "":
			e.name.fail("%s is not built yet: %s; remove it", e.key, k.later)
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
		o.fail("%s is missing%s: %s", key, o.within(), why)
	}
}

func (o object) within() string {
	if o.path == "" {
		return ""
	}
	return " in " + o.path
}
