package sandbox

// Suffix is a number that behaves in a way of its own: any `to` (or user id)
// that ends in Digits. All have six digits, none below 100000, so that a
// sequence of invented numbers counted up from zero meets none of them in its
// first hundred thousand.
type Suffix struct {
	Digits      string
	Description string

	reply  reply
	code   int // Graph code of a refusal
	times  int // tries refused before one is accepted; 0 = every try
	script []step
}

// reply is what the caller of POST messages gets to see.
type reply uint8

const (
	replyAccepted          reply = iota
	replyHeld                    // accepted, held for quality assessment
	replyRefused                 // Graph error, not accepted
	replyGatewayError            // HTTP 502 with an HTML body, not accepted
	replyDropUnaccepted          // connection closed, not accepted
	replyServerError             // accepted, HTTP 500 without a Graph body
	replyDropAccepted            // accepted, connection closed
	replyHang                    // accepted, answered after hangFor
	replyGarbage                 // accepted, HTTP 200 with an unreadable body
	replyAfterFirstWebhook       // accepted, answered after the first status was delivered
)

// stepKind is one thing that happens to an accepted message.
type stepKind uint8

const (
	stepSent stepKind = iota
	stepDelivered
	stepRead
	stepFailed
	stepAnswersStop      // inbound text
	stepAnswersThanks    // inbound text that is no opt-out
	stepTapsStop         // inbound tap on the stop button
	stepTapsStopNameless // the same from a person whose number is hidden
	stepMetaStop         // native stop, field user_preferences
)

// step is one entry of a script: kind happens after so many StatusDelays.
type step struct {
	after int
	kind  stepKind
	code  int // of stepFailed
}

var (
	usualScript = []step{{1, stepSent, 0}, {1, stepDelivered, 0}, {1, stepRead, 0}}
	heldScript  = []step{{3, stepSent, 0}, {1, stepDelivered, 0}, {1, stepRead, 0}}
	noScript    = []step{}
)

func failsWith(code int) []step { return []step{{1, stepFailed, code}} }

func deliveredThen(kind stepKind) []step {
	return []step{{1, stepSent, 0}, {1, stepDelivered, 0}, {1, kind, 0}}
}

// Suffixes lists every special number ending, for help texts and for tests.
func Suffixes() []Suffix {
	return []Suffix{
		{Digits: "130472", Description: "accepted, then failed 130472: the person is in an experiment's holdout group", script: failsWith(130472)},
		{Digits: "130497", Description: "accepted, then failed 130497: the business may not write to this country", script: failsWith(130497)},
		{Digits: "131000", Description: "accepted, then failed 131000: something went wrong", script: failsWith(131000)},
		{Digits: "131026", Description: "accepted, then failed 131026: not on WhatsApp", script: failsWith(131026)},
		{Digits: "131042", Description: "accepted, then failed 131042: the account has a payment problem", script: failsWith(131042)},
		{Digits: "131049", Description: "accepted, then failed 131049: the person has had enough marketing", script: failsWith(131049)},
		{Digits: "131050", Description: "accepted, then failed 131050: the person stopped marketing in WhatsApp", script: failsWith(131050)},

		{Digits: "130429", Description: "refused once with 130429 (rate limit), accepted on the next try", reply: replyRefused, code: 130429, times: 1},
		{Digits: "131056", Description: "refused twice with 131056 (same person too fast), accepted on the third try", reply: replyRefused, code: 131056, times: 2},
		{Digits: "990190", Description: "refused with 401 and code 190 (token expired), every time", reply: replyRefused, code: 190},
		{Digits: "990500", Description: "refused with HTTP 500 and code 131000, every time", reply: replyRefused, code: 131000},
		{Digits: "990502", Description: "refused with HTTP 502 and an HTML body, every time, not accepted", reply: replyGatewayError},

		{Digits: "990101", Description: "accepted, then the connection is closed without an answer", reply: replyDropAccepted, script: usualScript},
		{Digits: "990102", Description: "not accepted: the connection is closed without an answer", reply: replyDropUnaccepted},
		{Digits: "990103", Description: "accepted, answered only after 30 s", reply: replyHang, script: usualScript},
		{Digits: "990104", Description: "accepted, answered with 200 and an unreadable body", reply: replyGarbage, script: usualScript},
		{Digits: "990105", Description: "accepted, answered with HTTP 500 and no Graph body (ghost send)", reply: replyServerError, script: usualScript},
		{Digits: "990106", Description: "accepted, the sent status arrives before the answer", reply: replyAfterFirstWebhook,
			script: []step{{0, stepSent, 0}, {1, stepDelivered, 0}, {1, stepRead, 0}}},

		{Digits: "990001", Description: "read without delivered", script: []step{{1, stepSent, 0}, {2, stepRead, 0}}},
		{Digits: "990002", Description: "sent, never delivered (the person blocked the business)", script: []step{{1, stepSent, 0}}},
		{Digits: "990003", Description: "every status twice", script: []step{{1, stepSent, 0}, {0, stepSent, 0},
			{1, stepDelivered, 0}, {0, stepDelivered, 0}, {1, stepRead, 0}, {1, stepRead, 0}}},
		{Digits: "990004", Description: "statuses in the order read, delivered, sent", script: []step{{3, stepRead, 0}, {0, stepDelivered, 0}, {0, stepSent, 0}}},
		{Digits: "990005", Description: "accepted, and never a word again", script: noScript},
		{Digits: "990006", Description: "held for quality assessment, then delivered", reply: replyHeld, script: heldScript},
		{Digits: "990007", Description: "held for quality assessment, then dropped with 132015", reply: replyHeld, script: []step{{3, stepFailed, 132015}}},
		{Digits: "990008", Description: "failed 131000, then delivered after all", script: []step{{1, stepFailed, 131000}, {1, stepDelivered, 0}}},

		{Digits: "990011", Description: "delivered, then answers STOP", script: deliveredThen(stepAnswersStop)},
		{Digits: "990012", Description: "delivered, then taps the stop button", script: deliveredThen(stepTapsStop)},
		{Digits: "990013", Description: "delivered, then stops marketing in WhatsApp itself; later marketing fails 131050", script: deliveredThen(stepMetaStop)},
		{Digits: "990014", Description: "delivered, then taps the stop button with the phone number hidden", script: deliveredThen(stepTapsStopNameless)},
		{Digits: "990015", Description: "delivered, then answers something that is no opt-out", script: deliveredThen(stepAnswersThanks)},
	}
}

const suffixLength = 6

// suffixTable is keyed by the six digits themselves, so that an ordinary number
// costs one map miss.
type suffixTable map[[suffixLength]byte]*Suffix

func newSuffixTable() suffixTable {
	table := suffixTable{}
	for _, s := range Suffixes() {
		table[[suffixLength]byte([]byte(s.Digits))] = &s
	}
	return table
}

// of returns the suffix that tail ends in, nil for an ordinary person.
func (t suffixTable) of(tail []byte) *Suffix {
	if len(tail) < suffixLength {
		return nil
	}
	return t[[suffixLength]byte(tail[len(tail)-suffixLength:])]
}
