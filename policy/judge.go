package policy

import "math/bits"

// unit is a word or phrase of a message, in one language.
type unit struct {
	role  role
	first int // the word at which it begins
	ended bool
	means *meaning
}

// sentence is a message, or a part of it, as the roles of its units.
type sentence struct {
	units []unit
	all   role
	// unknown counts the units that no list has.
	unknown  int
	question bool
}

// verdict is what a sentence asks for.
type verdict int

const (
	plain   verdict = iota // nothing
	padding                // politeness and fillers only
	denied                 // the contrary: "don't stop"
	similar                // it resembles a stop
	asked                  // a stop
)

// composed reads a message that is on no list out of the roles of its words: first as one sentence, then clause by clause.
func (k Keywords) composed(m *message, question bool) Match {
	var means [maxMessageWords]*meaning
	triggered := uint16(0)
	var known [maxLanguages]int
	for i := m.first; i < m.last; i++ {
		found := lexicons().means[string(m.words(i, i+1))]
		if found == nil {
			continue
		}
		means[i] = found
		for mask := found.known | found.longer; mask != 0; mask &= mask - 1 {
			language := bits.TrailingZeros16(mask)
			if found.longer&(1<<language) != 0 || found.roles[language]&telling != 0 {
				triggered |= 1 << language
			}
			known[language]++
			if found.known&(1<<language) != 0 {
				known[language]++ // more than the beginning of a phrase
			}
		}
	}
	best := 0
	for language := range lexicons().languages {
		if triggered&(1<<language) != 0 {
			best = max(best, known[language])
		}
	}
	result := Match{}
	for language := range lexicons().languages {
		if triggered&(1<<language) == 0 || known[language] < best {
			continue
		}
		found, sure := k.inLanguage(m, means[:], language, question)
		if found.Action == MatchStop || sure {
			return found
		}
		if result.Action == MatchNone {
			result = found
		}
	}
	return result
}

// inLanguage reads a message in one language; sure says that it makes sense there, so that no other need be asked.
func (k Keywords) inLanguage(m *message, means []*meaning, language int, question bool) (found Match, sure bool) {
	var buffer [maxMessageWords]unit
	units := k.units(buffer[:0], m, means, language)
	whole := sentenceOf(units, question)
	judged := whole.judge()
	switch {
	case judged == asked:
		return k.matched(m, units, language, MatchStop), true
	case clauses(units):
		return k.byClause(m, units, language, question, judged)
	case judged == similar:
		return k.matched(m, units, language, MatchNear), whole.unknown == 0
	}
	return Match{}, whole.unknown == 0 || whole.has(roleOrdinary)
}

// byClause judges the clauses of a message one by one, where judged is what the whole of it came to.
func (k Keywords) byClause(m *message, units []unit, language int, question bool, judged verdict) (found Match, sure bool) {
	stops, nears, others, denials := 0, 0, 0, 0
	for from := 0; from < len(units); {
		to := from + 1
		for to < len(units) && !units[to].ended {
			to++
		}
		end := m.last
		if to < len(units) {
			end = units[to].first
		}
		said := sentenceOf(units[from:to], question && to == len(units)).judge()
		if word := k.words[string(m.words(units[from].first, end))]; word.action == MatchStop && !word.whole {
			said = asked
		}
		switch said {
		case asked:
			stops++
		case similar:
			nears++
		case denied:
			denials++
		case plain:
			others++
		}
		from = to
	}
	switch {
	case stops > 0 && others+nears+denials == 0:
		return k.matched(m, units, language, MatchStop), true
	case stops > 0, judged == similar, nears > 0 && denials == 0:
		return k.matched(m, units, language, MatchNear), false
	}
	return Match{}, denials > 0
}

func clauses(units []unit) bool {
	for _, u := range units[min(1, len(units)):] {
		if u.ended {
			return true
		}
	}
	return false
}

// units cuts a message into the longest phrases that the language knows.
func (k Keywords) units(into []unit, m *message, means []*meaning, language int) []unit {
	bit := uint16(1) << language
	for i := m.first; i < m.last; {
		u, next := unit{first: i, ended: m.ended[i], means: means[i]}, i+1
		if found := means[i]; found != nil {
			u.role = found.roles[language]
			if found.longer&bit != 0 {
				for end := min(i+maxPhraseWords, m.last); end > i+1; end-- {
					if longer := lexicons().means[string(m.words(i, end))]; longer != nil && longer.known&bit != 0 {
						u.role, u.means, next = longer.roles[language], longer, end
						break
					}
				}
			}
		}
		if u.role == 0 && k.extras[string(m.words(i, i+1))] {
			u.role = roleStop
		}
		if name, end := k.categoryAt(m, i); end >= next {
			u.role, next = roleMessages|roleOrdinary, end
			if k.categories[name].Kind == Marketing {
				u.role = roleMessages
			}
			u.means = nil
		}
		into = append(into, u)
		i = next
	}
	return into
}

// categoryAt finds a category's name at a word; end is 0 when there is none.
func (k Keywords) categoryAt(m *message, from int) (name string, end int) {
	if len(k.categories) == 0 || !k.categoryWords[string(m.words(from, from+1))] {
		return "", 0
	}
	for end := min(from+maxNameWords, m.last); end > from; end-- {
		if _, found := k.categories[string(m.words(from, end))]; found {
			return string(m.words(from, end)), end
		}
	}
	return "", 0
}

func (k Keywords) matched(m *message, units []unit, language int, action MatchAction) Match {
	match := Match{Action: action, Word: lexicons().models[language], Language: lexicons().languages[language]}
	for _, u := range units {
		if u.role&(roleStop|roleLeave) != 0 && u.means != nil && u.means.word != "" {
			match.Word = u.means.word
			if u.means.known&(u.means.known-1) != 0 {
				match.Language = ""
			}
			break
		}
	}
	match.Category = k.onlyCategory(m, units)
	return match
}

// onlyCategory is the one category that is all the message names of what is sent; "" when it names more, or less.
func (k Keywords) onlyCategory(m *message, units []unit) string {
	found := ""
	for _, u := range units {
		if u.role&(roleMessages|roleAds) == 0 {
			continue
		}
		name, end := k.categoryAt(m, u.first)
		if end == 0 || found != "" && found != k.categories[name].ID {
			return ""
		}
		found = k.categories[name].ID
	}
	return found
}

func sentenceOf(units []unit, question bool) sentence {
	s := sentence{units: units, question: question}
	for _, u := range units {
		s.all |= u.role
		if u.role&^roleOrdinary == 0 || u.role&roleOrdinary != 0 {
			s.unknown++
		}
	}
	return s
}

func (s sentence) has(any role) bool { return s.all&any != 0 }

// judge says what one sentence asks for.
func (s sentence) judge() verdict {
	content := s.all &^ (roleSmall | roleNow | roleAsk | roleMe | roleThese | roleMore | roleOrdinary)
	if content == 0 {
		if s.unknown == 0 && !s.has(roleMore) {
			return padding
		}
		return plain
	}
	if s.denies() {
		return denied
	}
	if s.unknown > 0 {
		return s.loosely()
	}
	return s.strictly()
}

// denies reports whether a negation turns the word after it, or before it, into its opposite.
func (s sentence) denies() bool {
	const passed = roleSmall | roleMe | roleNow | roleWant | roleAsk | roleThese | roleMore | roleGet
	const objects = roleStop | roleLeave | roleWhole | roleRemove
	const used = roleWrite | roleSend | roleMessages | roleAds
	for i, u := range s.units {
		if u.role&roleNot == 0 || u.role&(roleStop|roleWrite|roleSend|roleWant) != 0 && u.role&roleStop != 0 {
			continue
		}
		after := role(0)
		for j := i + 1; j < len(s.units) && !s.units[j].ended && j < i+6; j++ {
			r := s.units[j].role
			if r&used != 0 {
				after = used
				break
			}
			if r&objects != 0 && r&roleNot == 0 || r == roleNot && u.role == roleNot && s.ceases(j) {
				return true
			}
			if r&roleStop != 0 && r&roleNot != 0 && u.role&roleStop == 0 {
				return true
			}
			if r&passed == 0 {
				break
			}
		}
		if after == 0 && u.role&(roleWrite|roleSend|roleWant) == 0 && i > 0 && !u.ended && s.units[i-1].role&(roleStop|roleLeave) != 0 && !s.has(used) {
			return true
		}
	}
	return false
}

// ceases reports whether a negation is a verb before another ("smettete di"), which a negation before it denies.
func (s sentence) ceases(i int) bool {
	return i+1 < len(s.units) && s.units[i+1].first-s.units[i].first > 1 && s.units[i].means != nil && s.units[i].means.verb
}

// strictly judges a sentence whose every word is known.
func (s sentence) strictly() verdict {
	sent := s.has(roleWrite | roleSend | roleMessages | roleAds | roleGet)
	asking := s.has(roleHow) || s.has(roleWhy)
	unhurried := s.has(roleWhy) && !s.has(roleLeave|roleHow)
	switch {
	case s.has(roleNear):
		if !asking && !s.question && (s.has(roleLeave|roleStop) || s.has(roleNot) && s.refusing() == asked) {
			return asked
		}
		return similar
	case s.has(roleLeave):
		return soften(asked, asking)
	case s.has(roleStop) && s.onlyStops():
		return soften(asked, s.has(roleAsk))
	case s.has(roleStop):
		return s.stopping(sent, asking, unhurried)
	case s.has(roleRemove) && s.has(roleMe|roleList):
		return soften(asked, asking || !s.has(roleList) && s.has(roleThese|roleMore))
	case s.has(roleNot):
		if v := s.refusing(); v != plain {
			if unhurried {
				return similar
			}
			return soften(v, asking)
		}
	case s.has(roleWhole) && s.has(roleMessages|roleAds|roleList) && !s.has(roleNot):
		return soften(asked, asking)
	case s.has(roleWhole) && s.has(roleNow) && !asking:
		return similar
	}
	return plain
}

func soften(v verdict, when bool) verdict {
	if when && v == asked {
		return similar
	}
	return v
}

// onlyStops reports whether a sentence is stop words, politeness and haste.
func (s sentence) onlyStops() bool {
	for _, u := range s.units {
		if u.role&(roleStop|roleNow) == 0 && !(u.means != nil && u.means.known == allLanguages) {
			return false
		}
	}
	return true
}

func (s sentence) stopping(sent, asking, unhurried bool) verdict {
	switch {
	case unhurried && !sent:
		return plain
	case asking:
		return similar
	case sent || s.has(roleList):
		return asked
	}
	return similar
}

// refusing judges "do not write", "no more messages", "I want no advertising".
func (s sentence) refusing() verdict {
	what := s.has(roleMessages | roleAds)
	switch {
	case s.has(roleWrite) && s.beside(roleNot, roleWrite):
		if s.has(roleMe|roleMore|roleAds|roleThese|roleNow) || s.count(roleMessages|roleWrite) > 1 {
			return asked
		}
		return similar
	case s.has(roleSend):
		if what || s.has(roleMore|roleThese) {
			return asked
		}
		return similar
	case s.has(roleWant):
		switch {
		case what, s.has(roleGet) && s.has(roleMore|roleThese):
			return soften(asked, s.question && !s.has(roleMore))
		case s.has(roleMore | roleGet), s.has(roleThese):
			return similar
		}
	case s.has(roleAds) && !s.question:
		return asked
	case s.has(roleMessages) && s.has(roleMore) && !s.question:
		return asked
	case s.has(roleMessages) && !s.has(roleGet) && !s.question:
		return similar
	}
	return plain
}

// loosely judges a sentence with words that no list has: at best it resembles a stop.
func (s sentence) loosely() verdict {
	const sent = roleWrite | roleSend | roleAds | roleMessages | roleGet
	switch {
	case s.has(roleNear), s.has(roleLeave):
		return similar
	case s.has(roleRemove) && s.beside(roleRemove, roleList) && (s.has(roleMe) || s.has(roleSmall)):
		return similar
	case s.has(roleNot) && s.beside(roleNot, roleWrite) && s.has(roleMe|roleMore|roleAds):
		return similar
	case s.has(roleNot) && s.beside(roleNot, roleSend) && s.has(roleMessages|roleAds|roleMore):
		return similar
	case s.has(roleNot) && s.beside(roleNot, roleWant) && s.beside(roleWant, roleMessages|roleAds) && !s.question:
		return similar
	case s.has(roleNot) && s.has(roleMore) && s.beside(roleNot, roleMessages|roleAds) && !s.question:
		return similar
	case s.has(roleStop) && s.before(roleStop, sent) && !(s.has(roleWhy) && s.question):
		return similar
	case s.has(roleStop) && !s.question && !s.has(roleWhy|roleHow) && s.atAnEnd():
		return similar
	}
	return plain
}

// atAnEnd reports whether a few words begin or end with a stop word, or many begin with one that is in haste.
func (s sentence) atAnEnd() bool {
	n := len(s.units)
	if s.units[0].role&roleStop != 0 && n > 1 && s.units[1].role&roleNow != 0 {
		return true
	}
	words := 0
	for _, u := range s.units {
		if u.means == nil || u.means.known != allLanguages {
			words++
		}
	}
	return words <= maxShortSentence && (s.units[0].role&roleStop != 0 || s.units[n-1].role&roleStop != 0)
}

const nearby = 4 // units

// beside reports whether a unit of one role stands near one of another, in either order.
func (s sentence) beside(a, b role) bool {
	for i, u := range s.units {
		if u.role&a == 0 || u.role&roleOrdinary != 0 {
			continue
		}
		if u.role&b != 0 {
			return true
		}
		for j := max(0, i-nearby); j < min(len(s.units), i+nearby+1); j++ {
			if j != i && s.units[j].role&b != 0 && s.units[j].role&roleOrdinary == 0 {
				return true
			}
		}
	}
	return false
}

// before reports whether a unit of one role is followed soon by one of another.
func (s sentence) before(a, b role) bool {
	for i, u := range s.units {
		if u.role&a == 0 {
			continue
		}
		for j := i + 1; j < min(len(s.units), i+nearby+1); j++ {
			if s.units[j].role&b != 0 && s.units[j].role&roleOrdinary == 0 {
				return true
			}
		}
	}
	return false
}

func (s sentence) count(of role) int {
	n := 0
	for _, u := range s.units {
		if u.role&of != 0 {
			n++
		}
	}
	return n
}
