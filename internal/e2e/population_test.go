package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// citizen is one person of the population, and what must become of them: worked out here, from CONTRACT alone.
type citizen struct {
	phone    string // as the contacts file has it, in its last row
	language string
	name     string // "" when there is none
	gift     string
	coupon   string
	points   string

	stopped bool   // something covers marketing of offers
	consent string // "" for one that holds, else the reason
}

// matched reports whether weekend-offer's audience has them.
func (c citizen) matched() bool { return c.points == "50" || c.points == "2000" }

// member reports whether members-first's audience has them.
func (c citizen) member() bool { return c.points == "2000" }

// refused is the first reason against a message of offers, "" for none (the order of CONTRACT §4).
func (c citizen) refused() string {
	switch {
	case c.stopped:
		return "suppressed"
	case c.consent != "":
		return c.consent
	case strings.HasPrefix(c.phone, "+1"):
		return "country"
	case strings.TrimSpace(c.gift) == "" || c.coupon == "":
		return "missing_parameter"
	}
	return ""
}

// expected is the text of each parameter, in order of header, body and buttons, as it must reach Meta but for white space.
func (c citizen) expected() (language string, texts []string) {
	language, name := "it", c.name
	if strings.HasPrefix(c.language, "en") {
		language = "en"
	}
	if name == "" {
		name = "lettore"
	}
	return language, []string{"body " + name, "body " + c.gift, "body 30 novembre", "button 0 url " + c.coupon}
}

// population is a set of people and the files that tell of them.
type population struct {
	people                           []citizen
	contacts, consents, suppressions [][]string

	// What each import must count.
	badContacts, repeatedContacts, unproved, consentEvents, stops int
}

// newPopulation makes n people with everything that can stand between them and an offer. The seed makes them the same each time.
func newPopulation(n int) *population {
	r := rand.New(rand.NewPCG(7, 11))
	p := &population{
		contacts:     [][]string{{"phone", "name", "language", "points", "gift", "coupon", "first visit"}},
		consents:     [][]string{{"phone", "category", "action", "at", "source", "wording", "evidence"}},
		suppressions: [][]string{{"phone", "reason", "at", "source", "scope"}},
	}
	for i := range n {
		p.add(r, i)
	}
	for _, bad := range []string{"12", "", "5.51199E+12", "not a phone", "+39000000000"} {
		p.contacts = append(p.contacts, []string{bad, "Nobody", "it", "50", "x", "y", ""})
		p.badContacts++
	}
	// A stop of somebody who is not a contact is a stop all the same.
	p.suppressions = append(p.suppressions, []string{"+393479999999", "asked at the till", "2026-01-02T10:00:00Z", "till", ""})
	p.stops++
	return p
}

func (p *population) add(r *rand.Rand, i int) {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	canonical, other := numbersOf(r, i)
	c := citizen{
		phone: canonical, language: pick("it", "it", "en", "en-GB", "it-IT", "", "fr"),
		name:   pick("Anna", "Bruno Ré", "Élodie", "O'Hara, Pat", "", "Maria\nGrazia", "Gian\tCarlo", "Anna     Rosa", `Ugo "Il Lungo"`, "明子 🎁"),
		gift:   pick("un libro", "una penna", "tre\r\nsegnalibri", "a    b", "borsa      di tela", "un libro", "un libro", "un libro"),
		coupon: fmt.Sprintf("c/%d?x=%d&y", i, r.IntN(1000)), points: "50",
	}
	switch r.IntN(20) {
	case 0:
		c.points = "5"
	case 1:
		c.points = ""
	case 2:
		c.points = "many"
	case 3, 4:
		c.points = "2000"
	}
	switch r.IntN(25) {
	case 0:
		c.gift = ""
	case 1:
		c.coupon = ""
	case 2:
		c.gift = "   "
	}
	p.contact(r, c, other)
	if i%16 == 3 && other != canonical {
		c.phone = other // the file's last row has it in the other form
	}
	p.consent(r, &c, canonical, other)
	p.suppression(r, &c, canonical, other)
	p.people = append(p.people, c)
}

// numbersOf is the person's number and, for Brazil and Mexico, its other form; in other countries they are the same.
func numbersOf(r *rand.Rand, i int) (canonical, other string) {
	switch r.IntN(10) {
	case 0:
		canonical = fmt.Sprintf("+1212456%04d", i)
		return canonical, canonical
	case 1, 2:
		return fmt.Sprintf("+5511987%06d", i), fmt.Sprintf("+551187%06d", i)
	case 3:
		return fmt.Sprintf("+52551234%04d", i), fmt.Sprintf("+521551234%04d", i)
	}
	canonical = plainPhone(i)
	return canonical, canonical
}

func (p *population) contact(r *rand.Rand, c citizen, other string) {
	row := func(phone string) []string {
		return []string{phone, c.name, c.language, c.points, c.gift, c.coupon, "2026-01-01"}
	}
	if len(p.people)%16 == 3 && other != c.phone {
		// Two rows for one person, in two forms of the number; the last wins.
		p.contacts = append(p.contacts, row(c.phone), row(other))
		p.repeatedContacts++
		return
	}
	written := c.phone
	if strings.HasPrefix(written, "+39") && r.IntN(3) == 0 {
		written = written[3:6] + " " + written[6:9] + " " + written[9:] // as people in the business's country write it
	}
	p.contacts = append(p.contacts, row(written))
}

func (p *population) consent(r *rand.Rand, c *citizen, canonical, other string) {
	phone := canonical
	if r.IntN(2) == 0 {
		phone = other
	}
	const said = "Sì alle offerte di Libreria Aurora"
	event := func(category, action, at string) {
		p.consents = append(p.consents, []string{phone, category, action, at, "web_form", said, "form"})
		p.consentEvents++
	}
	switch r.IntN(20) {
	case 0:
		c.consent = "no_consent"
	case 1:
		event("orders", "granted", "2026-01-02T10:00:00Z")
		c.consent = "no_consent"
	case 2:
		event("offers", "granted", "2026-01-02T10:00:00Z")
		event("offers", "revoked", "2026-02-02T10:00:00+01:00")
		c.consent = "consent_revoked"
	case 3:
		// Later in the file, earlier in life: time decides.
		event("offers", "granted", "2026-03-02T10:00:00Z")
		event("offers", "revoked", "2026-02-02T10:00:00Z")
	case 4:
		event("offers", "granted", "2026-02-02T10:00:00Z")
		event("offers", "revoked", "2026-02-02T11:00:00+01:00") // the same moment: the refusal wins
		c.consent = "consent_revoked"
	case 5:
		event("offers", "granted", time.Now().AddDate(-2, 0, -5).UTC().Format(time.RFC3339))
		c.consent = "consent_expired"
	case 6:
		p.consents = append(p.consents, []string{phone, "offers", "granted", "2026-01-02T10:00:00Z", "web_form", "", "form"})
		p.unproved++
		c.consent = "no_consent"
	case 7:
		p.consents = append(p.consents, []string{phone, "offers", "granted", time.Now().Add(time.Hour).Format(time.RFC3339), "web_form", said, "form"})
		p.unproved++
		c.consent = "no_consent"
	default:
		event("offers", "granted", "2026-01-02T10:00:00Z")
	}
}

func (p *population) suppression(r *rand.Rand, c *citizen, canonical, other string) {
	phone := canonical
	if r.IntN(2) == 0 {
		phone = other
	}
	stop := func(scope string, covers bool) {
		p.suppressions = append(p.suppressions, []string{phone, "asked", "2026-01-02T10:00:00Z", "till", scope})
		p.stops++
		c.stopped = covers
	}
	switch r.IntN(40) {
	case 0:
		stop("", true)
	case 1:
		stop("all", true)
	case 2:
		stop("kind:marketing", true)
	case 3:
		stop("category:offers", true)
	case 4:
		stop("category:orders", false)
	case 5:
		stop("kind:utility", false)
	}
}
