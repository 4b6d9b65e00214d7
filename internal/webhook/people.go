package webhook

import (
	"strings"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// message reads an inbound message: the reply that it is, and the act that it may be.
func (r *reading) message(v *value, m *message) {
	r.odd = r.odd || m.odd || m.Edit.Message != nil && m.Edit.Message.odd
	switch m.Type {
	case "text", "button", "interactive", "image", "video", "document", "audio", "sticker", "location", "contacts", "order", "reaction", "edit":
	case "system", "revoke":
		// Not words of a person: a changed number or user id, a message taken back.
		r.odd = true
		return
	default:
		r.odd = true
	}
	at, told := instant(m.Timestamp, r.now)
	if !told {
		r.odd = true
	}
	act := policy.Act{
		Identity:     identity(v.complete(names{number: m.From, user: m.UserID, parent: m.ParentID})),
		At:           at,
		MessageID:    string(m.ID),
		ContextWAMID: string(m.Context.ID),
	}
	if said, ok := r.said(m); ok {
		act.Kind, act.Scope, act.Origin, act.Text, act.Language = said.Kind, said.Scope, said.Origin, said.Text, said.Language
		// What is written to a group can stop but not lift: the person did not turn to us alone.
		if act.Kind != policy.ActStart || r.mayLift(at, told) && m.GroupID == "" {
			r.act(act)
		} else {
			r.odd = true
		}
	}
	if act.Identity.Empty() && act.ContextWAMID == "" {
		r.odd = true
		return
	}
	if m.GroupID != "" {
		return
	}
	reply := sender.Reply{
		Identity:     act.Identity,
		MessageID:    act.MessageID,
		ContextWAMID: act.ContextWAMID,
		NumberID:     string(v.Metadata.NumberID),
		At:           at,
		Opens:        told && opens(m.Type),
	}
	if r.joinCode(m, act, told) {
		r.box.Replies = append(r.box.Replies, r.forwarded(m, act, reply))
		return
	}
	r.answerable(m, act, reply, told)
	r.box.Replies = append(r.box.Replies, r.forwarded(m, act, reply))
}

// said returns what the message asks of us, if anything. A tap decides before words do. The message inside an edit is
// read too, one level deep: an edit carries the whole new text.
func (r *reading) said(m *message) (policy.Act, bool) {
	for _, part := range [...]*message{m, m.Edit.Message} {
		if part == nil {
			continue
		}
		buttons := [...]selected{
			{ID: part.Button.Payload, Title: part.Button.Text},
			part.Interactive.ButtonReply,
			part.Interactive.ListReply,
		}
		for _, button := range buttons {
			if act, ok := r.tapped(button); ok {
				return act, true
			}
		}
		for _, text := range [...]string{part.Text.Body, part.Image.Caption, part.Video.Caption, part.Document.Caption, part.Audio.Caption} {
			if act, ok := r.wrote(text); ok {
				return act, true
			}
		}
	}
	return policy.Act{}, false
}

// tapped reads a button or a list row. The payload that we set decides; on other buttons only a plain stop counts, never
// what merely sounds like one: "Cancel reservation" is an answer to a utility template (graph-api §8.3, rule 5). No button
// that is not ours lifts a stop.
func (r *reading) tapped(button selected) (policy.Act, bool) {
	if campaign, ok := policy.ParseStopButton(button.ID); ok {
		return policy.Act{Kind: policy.ActStop, Scope: r.scopeOf(campaign), Origin: policy.OriginButton}, true
	}
	for _, text := range [...]string{button.ID, button.Title} {
		if text == "" {
			continue
		}
		if match := r.keywords().MatchLabel(text); match.Action == policy.MatchStop {
			return policy.Act{Kind: policy.ActStop, Scope: scopeOfMatch(match), Origin: policy.OriginKeyword, Language: match.Language}, true
		}
	}
	return policy.Act{}, false
}

// wrote reads words that the person typed.
func (r *reading) wrote(text string) (policy.Act, bool) {
	if text == "" {
		return policy.Act{}, false
	}
	switch match := r.keywords().Match(text); match.Action {
	case policy.MatchStop:
		return policy.Act{Kind: policy.ActStop, Scope: scopeOfMatch(match), Origin: policy.OriginKeyword, Language: match.Language}, true
	case policy.MatchStart:
		return policy.Act{Kind: policy.ActStart, Scope: scopeOfMatch(match), Origin: policy.OriginKeyword, Language: match.Language}, true
	case policy.MatchNear:
		return policy.Act{Kind: policy.ActReview, Scope: policy.ScopeKind(policy.Marketing), Origin: policy.OriginKeyword, Text: clip(text, maxReviewText)}, true
	}
	return policy.Act{}, false
}

func scopeOfMatch(match policy.Match) policy.Scope {
	if match.Category != "" {
		return policy.ScopeCategory(match.Category)
	}
	return policy.ScopeAll
}

// scopeOf is what the stop button of a campaign stops: its kind, or everything when the campaign is not known.
func (r *reading) scopeOf(campaign string) policy.Scope {
	if r.kind == nil || campaign == "" {
		return policy.ScopeAll
	}
	kind, ok := r.kind(campaign)
	if !ok || !kind.Valid() {
		return policy.ScopeAll
	}
	return policy.ScopeKind(kind)
}

// preference reads Meta's own stop and resume of marketing (Meta, "user_preferences webhook", 2026-09-11). A signup and
// any value not known are no consent and are only kept.
func (r *reading) preference(v *value, p *preference) {
	at, told := instant(p.Timestamp, r.now)
	act := policy.Act{
		Identity: identity(v.complete(names{number: p.WaID, user: p.UserID, parent: p.ParentID})),
		Scope:    policy.ScopeKind(policy.Marketing),
		Origin:   policy.OriginMetaStop,
		At:       at,
	}
	ordinary := told && (p.Category == "" || strings.EqualFold(string(p.Category), "marketing_messages"))
	switch value := strings.ToLower(string(p.Value)); {
	case value == "stop":
		act.Kind = policy.ActStop
		r.act(act)
	case value == "resume" && ordinary && r.mayLift(at, told):
		act.Kind = policy.ActResume
		r.act(act)
	default:
		ordinary = false
	}
	if !ordinary {
		r.odd = true
	}
}

// maxReviewText is the longest text that WhatsApp takes, in characters.
const maxReviewText = 4096
