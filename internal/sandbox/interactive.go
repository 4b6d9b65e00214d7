package sandbox

import "unicode/utf8"

// parseInteractive reads a message of type interactive: reply buttons below a
// text (Meta, interactive reply buttons messages, 11 Sep 2026). Header and
// footer are taken and not looked at.
func (q *sendRequest) parseInteractive() *fault {
	if !q.interactive.isObject() {
		return refuse(100, "Param interactive must be a JSON object")
	}
	return q.interactive.members(func(key []byte, m value) *fault {
		switch string(key) {
		case "type":
			return wantText("interactive['type']", m, &q.menu)
		case "body":
			if !m.isObject() {
				return refuse(100, "Param interactive['body'] must be a JSON object")
			}
			return m.members(func(key []byte, m value) *fault {
				if string(key) != "text" {
					return refuse(100, "Unexpected key %q on param interactive['body']", key)
				}
				return wantText("interactive['body']['text']", m, &q.textBody)
			})
		case "action":
			return q.parseButtons(m)
		case "header", "footer":
			return nil
		}
		return refuse(100, "Unexpected key %q on param interactive", key)
	})
}

// replyButton is a button of a session message.
type replyButton struct{ kind, id, title []byte }

func (q *sendRequest) parseButtons(action value) *fault {
	if !action.isObject() {
		return refuse(100, "Param interactive['action'] must be a JSON object")
	}
	return action.members(func(key []byte, m value) *fault {
		if string(key) != "buttons" {
			return refuse(100, "Unexpected key %q on param interactive['action']", key)
		}
		if !m.isArray() {
			return refuse(100, "Param interactive['action']['buttons'] must be an array")
		}
		return m.elements(func(_ int, m value) *fault {
			var b replyButton
			if !m.isObject() {
				return refuse(100, "Every button must be a JSON object")
			}
			f := m.members(func(key []byte, m value) *fault {
				switch {
				case string(key) == "type":
					return wantText("button['type']", m, &b.kind)
				case string(key) != "reply":
					return refuse(100, "Unexpected key %q on a button", key)
				case !m.isObject():
					return refuse(100, "Param button['reply'] must be a JSON object")
				}
				return m.members(func(key []byte, m value) *fault {
					switch string(key) {
					case "id":
						return wantText("button['reply']['id']", m, &b.id)
					case "title":
						return wantText("button['reply']['title']", m, &b.title)
					}
					return refuse(100, "Unexpected key %q on param button['reply']", key)
				})
			})
			q.buttons = append(q.buttons, b)
			return f
		})
	})
}

// checkInteractive holds Meta's limits: one to three buttons with different
// titles of at most 20 characters, ids of at most 256, a text of at most 1024.
func (q *sendRequest) checkInteractive() *fault {
	switch {
	case q.interactive == nil:
		return refuse(131008, "interactive is required when type is interactive")
	case string(q.menu) != "button":
		return refuse(131009, "The sandbox sends interactive messages of type button only, not %q", q.menu)
	case len(q.textBody) == 0:
		return refuse(131008, "interactive['body']['text'] is required")
	case utf8.RuneCount(q.textBody) > 1024:
		return refuse(131009, "interactive['body']['text'] is longer than 1024 characters")
	case len(q.buttons) == 0 || len(q.buttons) > 3:
		return refuse(131009, "interactive messages have one to three buttons, not %d", len(q.buttons))
	}
	titles := map[string]bool{}
	for _, b := range q.buttons {
		switch {
		case string(b.kind) != "reply":
			return refuse(131009, "a button's type must be reply, not %q", b.kind)
		case len(b.id) == 0 || len(b.title) == 0:
			return refuse(131008, "a button's id and title are required")
		case utf8.RuneCount(b.id) > 256 || utf8.RuneCount(b.title) > 20:
			return refuse(131009, "a button's id has at most 256 characters and its title 20")
		case titles[string(b.title)]:
			return refuse(131009, "two buttons have the title %q", b.title)
		}
		titles[string(b.title)] = true
	}
	return nil
}
