package webhook

import (
	"bytes"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// opens reports whether a message of a type opens the 24-hour window: any that is a message of the person's (graph-api §4.4). No page
// of Meta's says so of a reaction, or of what was changed or taken back later.
func opens(kind string) bool { return kind != "reaction" && kind != "edit" }

// answerable notes what the message asks to be answered with, and what it says to a question of ours. A message that tells no time of
// its own is answered by nobody: it may be from long ago.
func (r *reading) answerable(m *message, act policy.Act, reply sender.Reply, told bool) {
	if nod, ok := r.nod(m, reply, told); ok {
		r.box.Nods = append(r.box.Nods, nod)
		return
	}
	if !told || reply.MessageID == "" || reply.NumberID == "" || reply.Identity.Empty() {
		return
	}
	wish := sender.Wish{Identity: reply.Identity, MessageID: reply.MessageID, NumberID: reply.NumberID, At: reply.At}
	switch act.Kind {
	case policy.ActStop:
		if !r.wants().Confirmations {
			return
		}
		wish.Kind, wish.Scope, wish.Language = sender.Confirmation, act.Scope, act.Language
	case policy.ActReview:
		return // a person reads it first
	default:
		heard := r.wants().Chat.Match(m.Text.Body)
		switch heard.Action {
		case policy.ChatHelp:
			wish.Kind, wish.Language = sender.Help, heard.Language
		case policy.ChatJoin:
			wish.Kind, wish.Scope, wish.Language = sender.Question, policy.ScopeCategory(heard.Category), heard.Language
		default:
			return
		}
	}
	r.box.Wishes = append(r.box.Wishes, wish)
}

// nod reads a yes or a no: a tap on a button of a question of ours, or a word that quotes one of our messages. Of a yes the time must be
// certain, since an old one that comes again must count for nothing.
func (r *reading) nod(m *message, reply sender.Reply, told bool) (nod sender.Nod, ok bool) {
	nod = sender.Nod{ContextWAMID: reply.ContextWAMID, Identity: reply.Identity, MessageID: reply.MessageID, At: reply.At}
	nod.Question, nod.Yes, ok = policy.ParseQuestionPayload(m.Interactive.ButtonReply.ID)
	if !ok && reply.ContextWAMID != "" && m.Text.Body != "" {
		heard := r.wants().Chat.Match(m.Text.Body).Action
		nod.Yes, ok = heard == policy.ChatYes, heard == policy.ChatYes || heard == policy.ChatNo
	}
	if !ok || reply.Identity.Empty() || nod.Yes && !r.mayLift(reply.At, told) {
		return sender.Nod{}, false
	}
	return nod, true
}

// joinCode notes the code of an opt-in page in a text that asks for nothing else. What it confirms, if anything, the store finds out;
// of what gives a consent the time must be certain.
func (r *reading) joinCode(m *message, act policy.Act, told bool) bool {
	joins := r.wants().Joins
	if joins == nil || act.Kind != "" || m.Type != "text" || act.Identity.Empty() || !r.mayLift(act.At, told) {
		return false
	}
	code, found := policy.FindJoinCode(m.Text.Body)
	if found {
		r.box.Codes = append(r.box.Codes, sender.JoinCode{Code: code, Identity: act.Identity, MessageID: act.MessageID, At: act.At, Categories: joins})
	}
	return found
}

// forwarded is the reply with the message itself, where the business reads what people write.
func (r *reading) forwarded(m *message, act policy.Act, reply sender.Reply) sender.Reply {
	if r.wants().Forward {
		reply.Forward = forward(m, act)
	}
	return reply
}

// forward is the message as the business gets it.
func forward(m *message, act policy.Act) *sender.Forward {
	f := &sender.Forward{Type: m.Type, From: string(m.From), UserID: string(m.UserID), Raw: bytes.ToValidUTF8(m.raw, []byte("\uFFFD"))}
	for _, text := range [...]string{
		m.Text.Body, m.Button.Text, m.Interactive.ButtonReply.Title, m.Interactive.ListReply.Title,
		m.Image.Caption, m.Video.Caption, m.Document.Caption, m.Audio.Caption,
	} {
		if text != "" {
			f.Text = withoutNUL(text)
			break
		}
	}
	switch act.Kind {
	case policy.ActStop, policy.ActStart, policy.ActReview:
		f.Understood = string(act.Kind)
	}
	return f
}
