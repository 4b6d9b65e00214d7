package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
)

// Share is a part of all people, in millionths: 50,000 is 5 %. The zero Share is nobody.
type Share int32

// Everybody is 100 %.
const Everybody Share = 1_000_000

// perPercent is how many millionths are 1 %; it has this many decimals.
const (
	perPercent = Everybody / 100
	decimals   = 4
)

var shareShape = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,4}))?%$`)

const wantShare = "write a share of all people from 0% to 100%, such as 5% or 0.5%, with at most four decimals"

// ParseShare reads a share as people write it: 5%, 0.5%, 12.3456%.
func ParseShare(text string) (Share, error) {
	parts := shareShape.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("share %q: %s", text, wantShare)
	}
	n, err := strconv.Atoi(parts[1] + (parts[2] + strings.Repeat("0", decimals))[:decimals])
	if err != nil || Share(n) > Everybody {
		return 0, fmt.Errorf("share %q: %s", text, wantShare)
	}
	return Share(n), nil
}

// String writes the share as ParseShare reads it.
func (s Share) String() string {
	whole, rest := s/perPercent, s%perPercent
	if rest == 0 {
		return fmt.Sprintf("%d%%", whole)
	}
	return fmt.Sprintf("%d.%s%%", whole, strings.TrimRight(fmt.Sprintf("%0*d", decimals, rest), "0"))
}

// Lots draws who is held out: by a hash of person and campaign under a key that only the installation has, so that
// nobody can foresee the draw, or try campaign names until it suits them. It is the same for ever: after restarts, on
// every machine, at plan and at gate. Its methods are safe for concurrent use.
type Lots struct{ key, waves [sha256.Size]byte }

// NewLots returns the draw of the installation whose key this is. The key itself is not kept: other things hang on it.
func NewLots(key []byte) *Lots {
	derived := func(use string) [sha256.Size]byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(use))
		return [sha256.Size]byte(mac.Sum(nil))
	}
	// Waves have a draw of their own: by that of a holdout the first of them would be those who are held out.
	return &Lots{key: derived("permesso holdout"), waves: derived("permesso waves")}
}

// everyCampaign is the draw of the universal holdout: no campaign has this id.
const everyCampaign = ""

// drawn reports whether the person is in the share. Who is in a share is in every greater one of the same campaign, so
// that a holdout that grows brings nobody back in.
//
// The input begins with a key and a person of fixed lengths, and what comes out is one bit: that is all that HMAC would
// protect here, for the price of four blocks instead of one or two.
func (l *Lots) drawn(person PersonID, campaign string, share Share) bool {
	if share <= 0 {
		return share < 0 // one that cannot be read holds everybody out
	}
	var room [192]byte // most campaign ids fit, and then nothing leaves the stack
	input := append(append(append(room[:0], l.key[:]...), person[:]...), campaign...)
	sum := sha256.Sum256(input)
	place, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), uint64(Everybody))
	return place < uint64(share)
}

// holdoutOf is which holdout leaves a person out.
type holdoutOf int

const (
	ofNone holdoutOf = iota
	ofCampaign
	ofAll
	ofUnknown // there is a holdout, and what it is drawn by was not read
)

// heldOut says which holdout leaves this person out. The universal one is for marketing: a receipt must reach everybody.
// That of a campaign is its author's own word, whatever its kind.
func (q *question) heldOut() holdoutOf {
	own, all := q.facts.Ask.Holdout, q.universal()
	switch l, person := q.rules.Lots, q.facts.Person.ID; {
	case own == 0 && all == 0:
		return ofNone
	case l == nil || person == PersonID{}:
		return ofUnknown
	case l.drawn(person, everyCampaign, all):
		return ofAll
	case l.drawn(person, q.facts.Ask.Campaign, own):
		return ofCampaign
	}
	return ofNone
}

// universal is the universal holdout as far as it is for this message.
func (q *question) universal() Share {
	if !q.marketing {
		return 0
	}
	return q.rules.UniversalHoldout
}

func (q *question) becauseHoldout() string {
	const ever = "; who is drawn never changes."
	own, all := q.facts.Ask.Holdout, q.universal()
	switch by := q.heldOut(); {
	case by == ofUnknown:
		return "Some people are held out, and the key that they are drawn by, or this person's, was not read: without it nothing is sent."
	case by == ofAll:
		return fmt.Sprintf("This person is among the %s who get no marketing at all, for comparison (policy.universal_holdout)%s", all, ever)
	case by == ofCampaign:
		return fmt.Sprintf("This person is among the %s who do not get campaign %s, for comparison (holdout)%s", own, q.facts.Ask.Campaign, ever)
	case own == 0 && q.rules.UniversalHoldout != 0 && !q.marketing:
		return "The universal holdout is for marketing only, and this message is not."
	case own == 0 && all == 0:
		return "No holdout is in force: nobody is left out by chance."
	case own == 0:
		return fmt.Sprintf("This person is not among the %s who get no marketing at all, for comparison%s", all, ever)
	case all == 0:
		return fmt.Sprintf("This person is not among the %s who do not get campaign %s, for comparison%s", own, q.facts.Ask.Campaign, ever)
	}
	return fmt.Sprintf("This person is neither among the %s who get no marketing at all nor among the %s who do not get campaign %s, for comparison%s",
		all, own, q.facts.Ask.Campaign, ever)
}
