package webhook

import (
	"cmp"
	"strings"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
)

// names are the identifiers that a body gives for one person, by the field they stood in.
type names struct {
	number, user, parent word
}

// identity sorts the identifiers by their shape: a from or wa_id has been seen to hold a user id, and a parent's id looks
// like a user's (Meta, "Business-scoped user IDs"; graph-api §1.8). What stands in a field for user ids and has neither
// shape is still a user id, for Meta may change their form; only when no phone is known is it tried as one.
func identity(n names) policy.Identity {
	var id policy.Identity
	opaque := ""
	for _, text := range [...]string{string(n.user), string(n.parent), string(n.number)} {
		switch {
		case text == "":
		case isParentID(text):
			id.ParentUserID = cmp.Or(id.ParentUserID, text)
		case isUserID(text):
			id.UserID = cmp.Or(id.UserID, text)
		case text == string(n.number):
			if number, ok := phone.FromWhatsApp(text); ok {
				id.Phone = number
			}
		case text == string(n.user):
			opaque = text
		default:
			id.ParentUserID = cmp.Or(id.ParentUserID, text)
		}
	}
	if opaque == "" {
		return id
	}
	if id.Phone == "" {
		if number, ok := phone.FromWhatsApp(opaque); ok {
			id.Phone = number
			return id
		}
	}
	id.UserID = cmp.Or(id.UserID, opaque)
	return id
}

// isUserID reports whether the text has the shape of a user id: a country code, a dot, letters and digits, as in
// "IT.13491208655302741918".
func isUserID(text string) bool {
	if len(text) < 4 || len(text) > 160 || text[2] != '.' || !isLetter(text[0]) || !isLetter(text[1]) {
		return false
	}
	for i := 3; i < len(text); i++ {
		if c := text[i]; !isLetter(c) && (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return true
}

// isParentID reports whether the text is a user id of linked portfolios, as in "IT.ENT.1349".
func isParentID(text string) bool {
	return isUserID(text) && strings.HasPrefix(text[2:], ".ENT.") && len(text) > len("IT.ENT.")
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// complete fills in what contacts[] says of the same person. A contact is the same person when it shares an identifier, or
// when it is the only one beside the only update: a wrong guess would tie one person's stop to another.
func (v *value) complete(n names) names {
	alone := len(v.Contacts) == 1 && len(v.Messages)+len(v.Statuses)+len(v.Preferences) == 1
	for i := range v.Contacts {
		c := &v.Contacts[i]
		if alone || c.WaID != "" && (c.WaID == n.number || c.WaID == n.user) || c.UserID != "" && (c.UserID == n.user || c.UserID == n.number) {
			return names{number: cmp.Or(n.number, c.WaID), user: cmp.Or(n.user, c.UserID), parent: cmp.Or(n.parent, c.ParentID)}
		}
	}
	return n
}
