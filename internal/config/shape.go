package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/errcode"
)

const (
	// maxDepth is far beyond what any key needs.
	maxDepth = 32
	// maxAliased is how many values aliases may add before the file is taken for a bomb.
	maxAliased = 20_000
)

// checkShape refuses what no part of the configuration may contain: duplicate keys, tags, merges, depth, bombs. It
// reports whether the tree can be decoded at all, so that its other mistakes are found in the same run.
func (v value) checkShape() bool {
	unfolding := unfolding{sizes: map[*yaml.Node]int{}}
	return v.checkNode(1) && unfolding.check(v)
}

func (v value) checkNode(depth int) bool {
	if depth > maxDepth {
		v.fail(errcode.NestedTooDeep, "the file is nested more than %d levels deep", maxDepth)
		return false
	}
	if v.node.Style&yaml.TaggedStyle != 0 {
		v.fail(errcode.YAMLFeature, "tags such as %s are not read: remove it, and quote the value if it is text", v.node.Tag)
	}
	if v.node.Kind == yaml.ScalarNode && v.node.Style == 0 && strings.ContainsAny(firstRune(v.node.Value), "“”„«") {
		v.fail(errcode.NeedsQuotes, "curly quotes are letters like others here: write straight ones, \"")
	}
	switch v.node.Kind {
	case yaml.MappingNode:
		return v.checkMapping(depth)
	case yaml.SequenceNode:
		for i, node := range v.node.Content {
			if !(value{v.l, v.doc, node, fmt.Sprintf("%s[%d]", v.path, i)}).checkNode(depth + 1) {
				return false
			}
		}
	}
	return true
}

func (v value) checkMapping(depth int) bool {
	first := make(map[string]value, len(v.node.Content)/2)
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		written := value{v.l, v.doc, v.node.Content[i], v.path}
		name := v.at(written.node, v.path)
		if !readableKey(name.node) {
			switch {
			case name.node.Tag == "!!merge":
				written.fail(errcode.YAMLFeature, "merging with << is not read: write the keys out")
			case name.node.Tag == "!!null":
				written.fail(errcode.KeyIsNotText, "a key is missing before this colon")
			default:
				written.fail(errcode.KeyIsNotText, "a key must be text: quote it if it holds [ ] { } * or &")
			}
			continue
		}
		name.path = joinPath(v.path, name.node.Value)
		if earlier, twice := first[name.node.Value]; twice {
			name.failAt(place{written.node.Line, written.node.Column}, errcode.DuplicateKey, "key %q is written twice; the first is on line %d", name.node.Value, earlier.node.Line)
		} else {
			first[name.node.Value] = written
		}
		if !(value{v.l, v.doc, v.node.Content[i+1], name.path}).checkNode(depth + 1) {
			return false
		}
	}
	return true
}

func firstRune(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size]
}

func readableKey(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.Tag != "!!merge" && node.Tag != "!!null"
}

// unfolding counts the values of a tree as if every alias were written out, without writing them out.
type unfolding struct {
	sizes   map[*yaml.Node]int // -1 while the node is being counted
	written int
}

func (u *unfolding) check(v value) bool {
	total, ok := u.size(v, v.node)
	if ok && total-u.written > maxAliased {
		v.fail(errcode.TooManyAliases, "the aliases of this file unfold to more than %d values: write the values out", maxAliased)
		return false
	}
	return ok
}

func (u *unfolding) size(v value, node *yaml.Node) (int, bool) {
	if node.Kind == yaml.AliasNode {
		if u.sizes[node.Alias] == -1 {
			v.failAt(place{node.Line, node.Column}, errcode.TooManyAliases, "the alias *%s contains itself: write the value out", node.Value)
			return 0, false
		}
		return u.size(v, node.Alias)
	}
	if size, counted := u.sizes[node]; counted {
		return size, true
	}
	u.sizes[node] = -1
	u.written++
	total := 1
	for _, child := range node.Content {
		size, ok := u.size(v, child)
		if !ok {
			return 0, false
		}
		// A chain of aliases doubles at every step: stop before the sum does not fit.
		total = min(total+size, 1<<40)
	}
	u.sizes[node] = total
	return total, true
}
