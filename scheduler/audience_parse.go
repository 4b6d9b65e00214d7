package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.einride.tech/aip/filtering"
	expr "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
)

// What a filter may come to with its segments put in: it is judged for every contact, and SQLite nests no deeper than 1000.
const (
	largestFilter = 1000 // conditions, and what joins them
	deepestTree   = 200  // one within the other
)

// extent is how much a node comes to.
type extent struct{ size, depth int }

// ParseAudience reads an AIP-160 filter and checks every field, operator and value. types are the declared attributes, undeclared ones
// are text; segments are the texts of the named filters, which may use one another. An error is an *AudienceError. The empty filter is everyone.
func ParseAudience(filter string, types map[string]AttributeType, segments map[string]string) (Audience, error) {
	if strings.TrimSpace(filter) == "" {
		return Audience{everyone: true}, nil
	}
	r := audienceReader{types: types, segments: segments, done: map[string]*Node{}, extents: map[*Node]extent{}}
	root, failed := r.read(filter, "")
	if failed == nil {
		failed = refuseAbsent(root, "", false)
	}
	if failed != nil {
		return Audience{}, failed.of(filter, segments)
	}
	audience := Audience{root: root}
	root.collect(&audience.needs)
	return audience, nil
}

// audienceReader reads one filter and the segments that it uses.
type audienceReader struct {
	types    map[string]AttributeType
	segments map[string]string
	done     map[string]*Node
	open     []string // the segments being read, the outermost first
	extents  map[*Node]extent

	segment   string // whose text is being read; "" for the filter
	source    string
	positions map[int64]int32
}

// filterFailure is a mistake in the text of a segment, or of the filter itself.
type filterFailure struct {
	filterMistake
	segment string
}

// of places the mistake: offsets are bytes of the trimmed text, columns are characters of the text as given.
func (f *filterFailure) of(filter string, segments map[string]string) *AudienceError {
	text := filter
	if f.segment != "" {
		text = segments[f.segment]
	}
	lead := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
	end := min(lead+f.offset, len(text))
	return &AudienceError{Column: utf8.RuneCountInString(text[:end]) + 1, Message: f.message, Segment: f.segment}
}

func (r *audienceReader) read(text, segment string) (*Node, *filterFailure) {
	outerSegment, outerSource, outerPositions := r.segment, r.source, r.positions
	defer func() { r.segment, r.source, r.positions = outerSegment, outerSource, outerPositions }()
	text = strings.TrimSpace(text)
	r.segment, r.source = segment, text
	if m := scanFilter(text); m != nil {
		return nil, r.fail(m)
	}
	parsed, err := parseFilter(text)
	if err != nil {
		return nil, r.fail(parserMistake(text, err))
	}
	r.positions = parsed.GetSourceInfo().GetPositions()
	return r.node(parsed.GetExpr())
}

func (r *audienceReader) fail(m *filterMistake) *filterFailure {
	return &filterFailure{filterMistake: *m, segment: r.segment}
}

func (r *audienceReader) failAt(e *expr.Expr, format string, args ...any) *filterFailure {
	return r.fail(mistake(r.offset(e), format, args...))
}

func (r *audienceReader) offset(e *expr.Expr) int { return int(r.positions[e.GetId()]) }

// parseFilter is the parser without panics.
func parseFilter(text string) (parsed *expr.ParsedExpr, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			parsed, err = nil, fmt.Errorf("reading the filter: %v", cause)
		}
	}()
	var parser filtering.Parser
	parser.Init(text)
	parsed, err = parser.Parse()
	if err == nil && parsed.GetExpr() == nil {
		err = errors.New("reading the filter: nothing was read")
	}
	return parsed, err
}

// node checks one expression of the parsed filter.
func (r *audienceReader) node(e *expr.Expr) (*Node, *filterFailure) {
	call := e.GetCallExpr()
	if call == nil {
		return r.bare(e)
	}
	args := call.GetArgs()
	switch name := call.GetFunction(); {
	case name == filtering.FunctionAnd && len(args) == 2:
		return r.join(NodeAnd, args)
	case name == filtering.FunctionOr && len(args) == 2:
		return r.join(NodeOr, args)
	case name == filtering.FunctionNot && len(args) == 1:
		arg, failed := r.node(args[0])
		if failed != nil {
			return nil, failed
		}
		return r.sized(e, &Node{Kind: NodeNot, Args: []*Node{arg}})
	case name == filtering.FunctionFuzzyAnd && len(args) == 2:
		for args[0].GetCallExpr().GetFunction() == filtering.FunctionFuzzyAnd {
			args = args[0].GetCallExpr().GetArgs() // the first two of a longer row
		}
		return nil, r.failAt(args[1], "two conditions stand side by side; write AND or OR between them, or quotes around a value with spaces")
	case filtering.TokenType(name).IsComparator() && len(args) == 2:
		test, failed := r.test(Operator(name), args[0], args[1])
		if failed != nil {
			return nil, failed
		}
		return r.sized(e, &Node{Kind: NodeTest, Test: test, offset: r.offset(e)})
	}
	return nil, r.failAt(e, "functions are not known in a filter; compare a field with a value")
}

// join flattens a chain of one operator: a AND (b AND c) has three arguments.
func (r *audienceReader) join(kind NodeKind, args []*expr.Expr) (*Node, *filterFailure) {
	joined := &Node{Kind: kind}
	for _, arg := range args {
		node, failed := r.node(arg)
		if failed != nil {
			return nil, failed
		}
		if node.Kind == kind {
			joined.Args = append(joined.Args, node.Args...)
			continue
		}
		joined.Args = append(joined.Args, node)
	}
	return r.sized(args[1], joined)
}

// sized refuses a filter that its segments have blown up: each level may double it.
func (r *audienceReader) sized(e *expr.Expr, n *Node) (*Node, *filterFailure) {
	whole := extent{size: 1}
	for _, arg := range n.Args {
		part := r.extents[arg]
		whole.size, whole.depth = whole.size+part.size, max(whole.depth, part.depth)
	}
	whole.depth++
	switch {
	case whole.size > largestFilter:
		return nil, r.failAt(e, "with its segments put in, the filter comes to more than %d conditions; use each segment fewer times", largestFilter)
	case whole.depth > deepestTree:
		return nil, r.failAt(e, "with its segments put in, the filter is nested more than %d deep; let fewer segments use one another", deepestTree)
	}
	r.extents[n] = whole
	return n, nil
}

// bare checks an expression without an operator: only a segment may stand alone.
func (r *audienceReader) bare(e *expr.Expr) (*Node, *filterFailure) {
	path := memberPath(e)
	if len(path) == 0 {
		return nil, r.failAt(e, "a value stands alone; write a field and an operator before it, as in country = \"IT\"")
	}
	if path[0] == "segment" && len(path) > 1 {
		return r.useSegment(e, strings.Join(path[1:], "."))
	}
	field, _, failed := r.field(e)
	if failed != nil {
		return nil, failed
	}
	switch field {
	case FieldTags:
		return nil, r.failAt(e, "tags needs a tag; write tags:vip, or tags:* for anyone with a tag")
	case FieldAttribute:
		return nil, r.failAt(e, "an attribute needs an operator and a value, or write %s:* for anyone who has one", strings.Join(path, "."))
	}
	return nil, r.failAt(e, "%s needs an operator and a value, as in %s", field, exampleOf(field))
}

func (r *audienceReader) useSegment(e *expr.Expr, name string) (*Node, *filterFailure) {
	text, known := r.segments[name]
	if !known {
		return nil, r.failAt(e, "there is no segment %q%s", name, suggest(name, keysOf(r.segments), "; declare it under segments"))
	}
	if i := slices.Index(r.open, name); i >= 0 {
		circle := strings.Join(append(slices.Clone(r.open[i:]), name), ", which uses ")
		return nil, r.failAt(e, "segments go in a circle: %s; take one of the uses away", circle)
	}
	if strings.TrimSpace(text) == "" {
		return nil, r.failAt(e, "segment %q is empty; write its filter under segments", name)
	}
	inner := r.done[name]
	if inner == nil {
		r.open = append(r.open, name)
		read, failed := r.read(text, name)
		if failed != nil {
			return nil, failed
		}
		r.open = r.open[:len(r.open)-1]
		r.done[name], inner = read, read
	}
	return r.sized(e, &Node{Kind: NodeSegment, Name: name, Args: []*Node{inner}})
}

// memberPath returns the words of a.b.c, nil when e is something else.
func memberPath(e *expr.Expr) []string {
	if ident := e.GetIdentExpr(); ident != nil {
		return []string{ident.GetName()}
	}
	if member := e.GetSelectExpr(); member != nil {
		if path := memberPath(member.GetOperand()); path != nil {
			return append(path, member.GetField())
		}
	}
	return nil
}

// refuseAbsent refuses field:* under NOT. It is meant for people without a value, and those match nothing (CONTRACT §2): the filter would find nobody, in silence.
func refuseAbsent(n *Node, segment string, negated bool) *filterFailure {
	switch n.Kind {
	case NodeTest:
		if negated && n.Test.Op == Present && n.Test.Field != FieldTags {
			return &filterFailure{segment: segment, filterMistake: *mistake(n.offset,
				"NOT over %s finds nobody: a missing value matches nothing, also under NOT; mark those people with a tag and ask for it", printed(n))}
		}
		return nil
	case NodeNot:
		negated = !negated
	case NodeSegment:
		segment = n.Name
	}
	for _, arg := range n.Args {
		if failed := refuseAbsent(arg, segment, negated); failed != nil {
			return failed
		}
	}
	return nil
}

func printed(n *Node) string {
	var b strings.Builder
	n.print(&b)
	return b.String()
}

func (n *Node) collect(needs *Needs) {
	switch n.Test.Field {
	case FieldConsentDays:
		needs.Consent = true
	case FieldSentDays:
		needs.Sent = true
	case FieldDeliveredDays:
		needs.Delivered = true
	case FieldRepliedDays:
		needs.Replied = true
	}
	for _, arg := range n.Args {
		arg.collect(needs)
	}
}
