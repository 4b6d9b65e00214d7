package graph

// quickAnswer reads the answer that nearly every message gets: known keys, plain texts, no error. It is worth its lines:
// encoding/json would cost as much as all else in Send. Whatever it does not expect it leaves to readAnswer; ok is false then.
func quickAnswer(body []byte) (a answer, ok bool) {
	s := scan{rest: body}
	s.object(func(key string) {
		switch {
		case key == "messaging_product":
			s.text()
		case key == "contacts" && a.Contacts == nil:
			s.objects(func() {
				a.Contacts = append(a.Contacts, contact{})
			}, func(key string, value word) bool {
				c := &a.Contacts[len(a.Contacts)-1]
				switch key {
				case "wa_id":
					c.WaID = value
				case "user_id":
					c.UserID = value
				default:
					return key == "input"
				}
				return true
			})
		case key == "messages" && a.Messages == nil:
			s.objects(func() {
				a.Messages = append(a.Messages, message{})
			}, func(key string, value word) bool {
				m := &a.Messages[len(a.Messages)-1]
				switch key {
				case "id":
					m.ID = value
				case "message_status":
					m.Status = value
				default:
					return false
				}
				return true
			})
		default:
			s.odd = true
		}
	})
	s.space()
	return a, !s.odd && len(s.rest) == 0 && len(a.Messages) > 0
}

// scan walks through JSON of a narrow kind; odd says that it met something else.
type scan struct {
	rest []byte
	odd  bool
}

func (s *scan) space() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\n' || s.rest[0] == '\r' || s.rest[0] == '\t') {
		s.rest = s.rest[1:]
	}
}

// next takes c if it comes next.
func (s *scan) next(c byte) bool {
	s.space()
	if s.odd || len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scan) must(c byte) {
	if !s.next(c) {
		s.odd = true
	}
}

// text takes a text of plain ASCII without escapes.
func (s *scan) text() []byte {
	s.must('"')
	for i, c := range s.rest {
		if s.odd {
			break
		}
		switch {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text
		case c == '\\', c < ' ', c > '~':
			s.odd = true
		}
	}
	s.odd = true
	return nil
}

// object takes an object whose values each takes.
func (s *scan) object(each func(key string)) {
	s.must('{')
	if s.next('}') {
		return
	}
	for !s.odd {
		key := s.text()
		s.must(':')
		if s.odd {
			return
		}
		each(string(key))
		if !s.next(',') {
			break
		}
	}
	s.must('}')
}

// objects takes a list of objects of texts; field says whether it knows the key.
func (s *scan) objects(begin func(), field func(key string, value word) bool) {
	s.must('[')
	if s.next(']') {
		// An empty list is rare enough for the slow path, which tells it from an absent one.
		s.odd = true
		return
	}
	for !s.odd {
		begin()
		s.object(func(key string) {
			if value := s.text(); !s.odd && !field(key, word(value)) {
				s.odd = true
			}
		})
		if !s.next(',') {
			break
		}
	}
	s.must(']')
}
