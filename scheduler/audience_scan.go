package scheduler

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.einride.tech/aip/filtering"
)

const (
	longestFilter = 4000 // characters
	deepestFilter = 40   // parentheses within parentheses
)

// filterScan reads a filter token by token before the parser does, to refuse what the parser would take for something else or explain
// badly. Above all AND beside OR: the parser drops the parentheses, so only the tokens tell whether they were there.
type filterScan struct {
	last   filtering.Token // the last token that is not space
	glued  bool            // nothing stands between last and the token being read
	inPath bool            // last is a part of a path, as AND in attributes.AND
	levels []filterLevel   // one per open parenthesis, the filter itself first
}

type filterLevel struct {
	opened int    // byte offset of the parenthesis
	joined string // AND, OR, or "" while neither was met
}

// scanFilter returns the first mistake that tokens alone show, at a byte offset of text.
func scanFilter(text string) *filterMistake {
	if utf8.RuneCountInString(text) > longestFilter {
		return mistake(0, "the filter is longer than %d characters; move parts of it to segments", longestFilter)
	}
	var lexer filtering.Lexer
	lexer.Init(text)
	s := filterScan{levels: []filterLevel{{}}}
	for {
		token, err := lexer.Lex()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return lexMistake(int(lexer.Position().Offset), err)
		}
		if token.Type == filtering.TokenTypeWhitespace {
			s.glued = false
			continue
		}
		if m := s.take(token); m != nil {
			return m
		}
		s.inPath = s.follows(filtering.TokenTypeDot)
		s.last, s.glued = token, true
	}
	if deepest := s.levels[len(s.levels)-1]; len(s.levels) > 1 {
		return mistake(deepest.opened, "this parenthesis is never closed; add a )")
	}
	if s.last.Type.IsComparator() || (s.last.Type.IsKeyword() && !s.inPath) {
		return mistake(len(text), endsEarly)
	}
	return nil
}

// endsEarly is said at the end of a filter that stops in the middle.
const endsEarly = "the filter ends where a condition or a value should follow"

// follows reports whether the token being read touches one of the given type.
func (s *filterScan) follows(kind filtering.TokenType) bool { return s.glued && s.last.Type == kind }

func lexMistake(offset int, err error) *filterMistake {
	if strings.Contains(err.Error(), "UTF-8") {
		return mistake(offset, "the text is not UTF-8; save the file as UTF-8")
	}
	return mistake(offset, "this quote is never closed; add the same quote at the value's end")
}

func (s *filterScan) take(token filtering.Token) *filterMistake {
	at := int(token.Position.Offset)
	inPath := s.follows(filtering.TokenTypeDot)
	switch token.Type {
	case filtering.TokenTypeLeftParen:
		return s.open(at)
	case filtering.TokenTypeRightParen:
		if len(s.levels) == 1 {
			return mistake(at, "this parenthesis was never opened; take it away or add a ( before")
		}
		s.levels = s.levels[:len(s.levels)-1]
	case filtering.TokenTypeAnd, filtering.TokenTypeOr:
		if !inPath {
			return s.join(token, at)
		}
	case filtering.TokenTypeString:
		return checkQuoted(token, at)
	case filtering.TokenTypeNumber:
		if len(token.Value) > 1 && token.Value[0] == '0' && !inPath {
			return mistake(at, "%s starts with a zero; write the number without it, or quote it if it is text: %q", token.Value, token.Value)
		}
	case filtering.TokenTypeHexNumber:
		return mistake(at, "%s is not read as a number here; write it in decimal digits, or quote it if it is text", token.Value)
	case filtering.TokenTypeExclaim:
		return mistake(at, "a lone ! means nothing here; write NOT before a condition, or != between field and value")
	case filtering.TokenTypeText:
		return s.takeWord(token, at, inPath)
	}
	return s.takeComparator(token, at)
}

func (s *filterScan) open(at int) *filterMistake {
	switch {
	case s.last.Type.IsComparator():
		return mistake(at, "a field is compared with one value at a time; write country = \"IT\" OR country = \"FR\"")
	case s.glued && s.last.Type.IsKeyword() && !s.inPath:
		return mistake(at, "put a space between %s and the parenthesis", s.last.Value)
	case s.follows(filtering.TokenTypeText) || s.follows(filtering.TokenTypeString):
		return mistake(int(s.last.Position.Offset), "%s( looks like a function, and filters have none; compare a field with a value", s.last.Value)
	case len(s.levels) > deepestFilter:
		return mistake(at, "parentheses are nested more than %d deep; move parts of the filter to segments", deepestFilter)
	}
	s.levels = append(s.levels, filterLevel{opened: at})
	return nil
}

func (s *filterScan) join(token filtering.Token, at int) *filterMistake {
	if s.glued && s.last.Type != filtering.TokenTypeLeftParen {
		return mistake(at, "put a space before %s", token.Value)
	}
	level := &s.levels[len(s.levels)-1]
	if level.joined != "" && level.joined != token.Value {
		return mistake(at, "%s stands beside %s without parentheses; filters bind OR tighter than AND (AIP-160), so write which is meant: a AND (b OR c), or (a AND b) OR c", token.Value, level.joined)
	}
	level.joined = token.Value
	return nil
}

func checkQuoted(token filtering.Token, at int) *filterMistake {
	text, err := token.Unquote()
	if err != nil {
		return mistake(at, "the quoted text has a backslash that means nothing; write \\\\ for a backslash and \\\" for a quote")
	}
	if strings.ContainsRune(text, 0) {
		return mistake(at, "the quoted text has a NUL character, which no contact can have")
	}
	return nil
}

func (s *filterScan) takeWord(token filtering.Token, at int, inPath bool) *filterMistake {
	if strings.Contains(token.Value, "&&") || strings.Contains(token.Value, "||") {
		return mistake(at, "write AND for &&, and OR for ||, with spaces around them")
	}
	if first, _ := utf8.DecodeRuneInString(token.Value); strings.ContainsRune("“”„‟«»‘’‚", first) {
		return mistake(at, "%c is a typographic quote; write straight ones: \"…\"", first)
	}
	if inPath || s.last.Type.IsComparator() {
		return nil
	}
	switch upper := strings.ToUpper(token.Value); upper {
	case "AND", "OR", "NOT":
		return mistake(at, "write %s in capitals: %s", token.Value, upper)
	}
	return nil
}

// takeComparator knows the spellings of other languages.
func (s *filterScan) takeComparator(token filtering.Token, at int) *filterMistake {
	if !s.glued || !token.Type.IsComparator() || !s.last.Type.IsComparator() {
		return nil
	}
	written := s.last.Value + token.Value
	start := at - len(s.last.Value)
	switch written {
	case "==":
		return mistake(start, "write one = for equal")
	case "<>":
		return mistake(start, "write != for not equal")
	case "=<":
		return mistake(start, "write <= for less or equal")
	case "=>":
		return mistake(start, "write >= for greater or equal")
	}
	return mistake(start, "%s is not an operator; write one of = != < <= > >= :", written)
}

// filterMistake is a mistake at a byte offset of the trimmed text.
type filterMistake struct {
	offset  int
	message string
}

func mistake(offset int, format string, args ...any) *filterMistake {
	return &filterMistake{offset: offset, message: fmt.Sprintf(format, args...)}
}

// parserMistake turns the parser's own error, a chain from the whole to the part, into a place and a sentence.
func parserMistake(text string, err error) *filterMistake {
	offset := len(text)
	for e := err; e != nil; e = errors.Unwrap(e) {
		if placed, ok := e.(interface{ Position() filtering.Position }); ok {
			offset = int(placed.Position().Offset)
		}
	}
	if errors.Is(err, io.EOF) || offset >= len(text) {
		return mistake(len(text), endsEarly)
	}
	offset += len(text[offset:]) - len(strings.TrimLeftFunc(text[offset:], unicode.IsSpace))
	return mistake(offset, "%q is not expected here; a condition is a field, an operator and a value, as in country = \"IT\", and values with signs in them need quotes", wordAt(text, offset))
}

// wordAt returns what stands at an offset up to the next space, shortened.
func wordAt(text string, offset int) string {
	word := text[offset:]
	if i := strings.IndexFunc(word, unicode.IsSpace); i > 0 {
		word = word[:i]
	}
	if runes := []rune(word); len(runes) > 24 {
		return string(runes[:24]) + "…"
	}
	return word
}
