package storetest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
	"github.com/permesso/permesso/sender"
)

// hardCases are filters with the values for which they are true, false and unknown: NOT turns the first two round, and has
// nobody of the third.
func (a audiences) hardCases(t *testing.T) {
	long := strings.Repeat("9", 400)
	for _, tt := range []struct {
		filter           string
		put              func(*somebody, string)
		yes, no, unknown []string
	}{
		{`country = "IT"`, putCountry, []string{"IT", " IT", "IT\u00a0"}, []string{"it", "FR", "ITA"}, []string{"", " ", "\u3000"}},
		{`external_id = "K"`, putID, []string{"K", "\tK\n"}, []string{"k", "\u212A", "KK", "K\u200b"}, []string{"", "\u2028"}},
		{`external_id != "a%"`, putID, []string{"ab", "a_", "A%"}, []string{"a%"}, []string{""}},
		{`external_id = "a%*"`, putID, []string{"a%", "a%b"}, []string{"ab", "A%", "%a"}, []string{""}},
		{`external_id = "*_b"`, putID, []string{"_b", "a_b", "😀_b"}, []string{"ab", "b", "_B", "_b.", "_"}, []string{" "}},
		{`external_id = "*😀*"`, putID, []string{"😀", "a😀b"}, []string{"a", "😁"}, []string{""}},
		{`external_id = "O'Hara \"x\" \\"`, putID, []string{`O'Hara "x" \`}, []string{`O'Hara`, `O''Hara "x" \`}, nil},
		{`external_id = "'; DROP TABLE contacts; --"`, putID, []string{"'; DROP TABLE contacts; --"}, []string{"x"}, nil},
		{`external_id = "a\nb"`, putID, []string{"a\nb"}, []string{`a\nb`, "a b"}, nil},
		{`external_id:*`, putID, []string{"0", "false", "NULL"}, nil, []string{"", "\u0085"}},

		{`language = "it"`, putLanguage, []string{"it", "IT", "it-IT", "it_CH", " it", "it-", "it_"}, []string{"ita", "en", "en-it"}, []string{"", "i", "italiano", "12", "-it", "it\u0301", "İt", "it IT"}},
		{`language = "pt-BR"`, putLanguage, []string{"pt-br", "PT_BR", "pt-BR-x"}, []string{"pt", "pt-BRA"}, []string{"p"}},
		{`language != "kr"`, putLanguage, []string{"it"}, []string{"kr", "KR"}, []string{"\u212Ar"}},

		{`tags:vip`, putTags, []string{"vip", "a;vip", "vip;a", "a; vip ;b", "\u00a0vip"}, []string{"", "VIP", "vips", "a vip", "vip\u200b"}, nil},
		{`tags:"a b"`, putTags, []string{"a b", "x;a b"}, []string{"a;b", "a  b"}, nil},
		{`tags:"a;b"`, putTags, nil, []string{"a;b", "a", "b"}, nil},
		{`tags:"\""`, putTags, []string{`"`, `a;";b`}, []string{`""`, `\"`, `","`}, nil},
		{`tags:"\\"`, putTags, []string{`\`, `\;a`}, []string{`\\`, `\"`}, nil},
		{`tags:"v*"`, putTags, []string{"v", "x;vip", "x; vip"}, []string{"xv", "V"}, nil},
		{`tags:"*x\u0001*"`, putTags, []string{"ax\x01b"}, []string{"x"}, nil},
		{`tags:*`, putTags, []string{"a", ";a", " ; a "}, []string{"", ";", " ; ;\u3000"}, nil},

		{`attributes.points >= 100`, putPoints, []string{"100", "+100.0", " 100\u00a0", "0100", "100.000000000000000000001", long},
			[]string{"99.99999999999999999999", "-100", "-" + long, "0", "-0", "5"}, []string{"", "many", "1e3", "Inf", "NaN", "0x64", "1_000", "1,000", "100.", ".5", "-", "+", "--100", "1.2.3", "１００", "1 00"}},
		{`attributes.points = 0`, putPoints, []string{"0", "-0", "+0", "00.00", "-0.0"}, []string{"0." + strings.Repeat("0", 400) + "1", "1", "-1"}, []string{"", "."}},
		{`attributes.points < 0`, putPoints, []string{"-1", "-0.1", "-" + long}, []string{"0", "-0", "1"}, []string{"-"}},
		{`attributes.points > -1.5`, putPoints, []string{"-1", "-1.49", "0", "9"}, []string{"-1.5", "-1.50", "-1.51", "-2", "-10"}, []string{"x"}},
		{`attributes.points <= -1.5`, putPoints, []string{"-1.5", "-1.50", "-1.51", "-2", "-10"}, []string{"-1", "-1.49", "-0", "9"}, []string{"x"}},
		{`attributes.points = 9007199254740993`, putPoints, []string{"9007199254740993", "9007199254740993.0"}, []string{"9007199254740992", "9007199254740994"}, nil},
		{`attributes.points = 0.3`, putPoints, []string{"0.3", "0.30", "+00.3"}, []string{"0.30000000000000004", "0.2999999999999999999"}, nil},
		{`attributes.points:*`, putPoints, []string{"1", "-0"}, nil, []string{"", "one"}},

		{`attributes.birthday < "2024-03-01"`, putBirthday, []string{"2024-02-29", "0001-01-01", " 2000-02-29 "}, []string{"2024-03-01", "9999-12-31"},
			[]string{"", "2023-02-29", "1900-02-29", "2024-02-30", "2024-00-10", "2024-13-01", "2024-04-31", "2024-01-00", "0000-01-01", "2024-1-1", "24-01-01", "2024-02-29T10:00:00Z", "2024/02/29", "20240229", "２０２４-02-29", "-024-02-29"}},
		{`attributes.birthday != "2024-02-29"`, putBirthday, []string{"2024-02-28"}, []string{"2024-02-29", "\t2024-02-29"}, []string{"2023-02-29", "x"}},
		{`attributes.birthday:*`, putBirthday, []string{"2024-02-29"}, nil, []string{"2023-02-29"}},

		{`attributes.city = "Roma"`, putAttribute("city"), []string{"Roma", " Roma "}, []string{"roma", "Romà", "100"}, []string{"", " "}},
		{`attributes."$.\"a\\b'[0].c\n€ " = "x"`, putAttribute(oddKey), []string{"x"}, []string{"y"}, []string{""}},
		{`attributes."[0]" = "x"`, putAttribute("[0]"), []string{"x"}, nil, nil},
		{`attributes."0" = "x"`, putAttribute("0"), []string{"x"}, nil, nil},
		{`attributes."a.b" = "x"`, putAttribute("a.b"), []string{"x"}, nil, nil},
		{`attributes."" = "x"`, putAttribute(""), []string{"x"}, nil, nil},
		{`attributes."$" = "x"`, putAttribute("$"), []string{"x"}, nil, nil},
		{`attributes."\"" = "x"`, putAttribute(`"`), []string{"x"}, nil, nil},
		{`attributes.city = "x"`, putAttribute("City"), nil, nil, []string{"x"}}, // keys have their case
	} {
		t.Run(tt.filter, func(t *testing.T) {
			var people []somebody
			for _, value := range slices.Concat(tt.yes, tt.no, tt.unknown) {
				var p somebody
				tt.put(&p, value)
				people = append(people, p)
			}
			a.write(t, people)
			types := map[string]scheduler.AttributeType{"points": scheduler.AttributeNumber, "birthday": scheduler.AttributeDate}
			for negated, filter := range []string{tt.filter, "NOT (" + tt.filter + ")", "NOT (NOT (" + tt.filter + "))"} {
				audience, err := scheduler.ParseAudience(filter, types, nil)
				if err != nil && strings.Contains(err.Error(), "finds nobody") {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				reach := scheduler.Reach{Audience: audience}
				found := a.found(t, 100, audienceNow, reach)[0]
				for n, p := range people {
					want := n < len(tt.yes)
					if negated == 1 {
						want = n >= len(tt.yes) && n < len(tt.yes)+len(tt.no)
					}
					value := slices.Concat(tt.yes, tt.no, tt.unknown)[n]
					if slices.Contains(found, n) != want {
						t.Errorf("%s: the database has %q: %t", filter, value, !want)
					}
					if reach.Has(p.subject(n), audienceNow) != want {
						t.Errorf("%s: scheduler has %q: %t", filter, value, !want)
					}
				}
			}
		})
	}
}

func putCountry(p *somebody, v string)  { p.country = v }
func putID(p *somebody, v string)       { p.externalID = v }
func putLanguage(p *somebody, v string) { p.language = v }
func putTags(p *somebody, v string)     { p.tags = v }
func putPoints(p *somebody, v string)   { p.attributes = map[string]string{"points": v} }
func putBirthday(p *somebody, v string) { p.attributes = map[string]string{"birthday": v} }

func putAttribute(key string) func(*somebody, string) {
	return func(p *somebody, v string) { p.attributes = map[string]string{key: v} }
}

// hardTimes are the days fields, on the microsecond.
func (a audiences) hardTimes(t *testing.T) {
	const day = int64(24 * 60 * 60 * 1e6)
	now := audienceNow.UnixMicro()
	sent := func(run, state string, at int64) somebody {
		return somebody{deliveries: []delivery{{run: run, state: state, sending: at}}}
	}
	people := map[string]somebody{
		"never":                        {},
		"just now":                     sent("real", "sending", now),
		"in a day to come":             sent("real", "accepted", now+2*day),
		"a microsecond short of a day": sent("real", "sent", now-day+1),
		"a day ago":                    sent("real", "unknown", now-day),
		"two days ago":                 sent("real", "held", now-2*day),
		"in a test":                    sent("trial", "sent", now-day),
		"refused":                      sent("real", "failed", now-day),
		"read without delivered":       {deliveries: []delivery{{"real", "read", now - 3*day, 0, now - 2*day}, {"other", "delivered", now - 9*day, now - 8*day, 0}}},
		"replied":                      {replied: now - 3*day},
		"sent and deleted":             {sentBefore: now - 400*day, deliveredBefore: now - 400*day},
		"consented":                    {consents: []consented{{"offers", policy.Granted, now - 5*day}, {"offers", policy.Granted, now - 4*day}}},
		"took it back":                 {consents: []consented{{"offers", policy.Granted, now - 5*day}, {"offers", policy.Revoked, now - 4*day}}},
		"both at once":                 {consents: []consented{{"offers", policy.Granted, now - 4*day}, {"offers", policy.Revoked, now - 4*day}}},
		"gave it again":                {consents: []consented{{"offers", policy.Revoked, now - 5*day}, {"offers", policy.Granted, now - 4*day}}},
		"consented to another":         {consents: []consented{{"news", policy.Granted, now - 4*day}}},
	}
	var names []string
	for name := range people {
		names = append(names, name)
	}
	slices.Sort(names)
	var list []somebody
	for _, name := range names {
		list = append(list, people[name])
	}
	a.write(t, list)
	for _, tt := range []struct {
		filter string
		want   []string
	}{
		{"sent_days:*", []string{"a day ago", "a microsecond short of a day", "in a day to come", "just now", "read without delivered", "sent and deleted", "two days ago"}},
		{"sent_days >= 0", []string{"a day ago", "a microsecond short of a day", "in a day to come", "just now", "read without delivered", "sent and deleted", "two days ago"}},
		{"sent_days < 0", nil},
		{"NOT sent_days > 0", []string{"a microsecond short of a day", "in a day to come", "just now"}},
		{"sent_days = 0", []string{"a microsecond short of a day", "in a day to come", "just now"}},
		{"sent_days = 1", []string{"a day ago"}},
		{"sent_days != 1", []string{"a microsecond short of a day", "in a day to come", "just now", "read without delivered", "sent and deleted", "two days ago"}},
		{"sent_days > 1", []string{"read without delivered", "sent and deleted", "two days ago"}},
		{"sent_days <= 1", []string{"a day ago", "a microsecond short of a day", "in a day to come", "just now"}},
		{"sent_days > 1000000", nil},
		{"delivered_days = 2", []string{"read without delivered"}},
		{"delivered_days != 2", []string{"sent and deleted"}},
		{"replied_days = 3", []string{"replied"}},
		{"sent_days = 400", []string{"sent and deleted"}},
		{"NOT delivered_days < 400", []string{"sent and deleted"}},
		{"NOT replied_days = 2", []string{"replied"}},
		{"consent_days = 4", []string{"consented", "gave it again"}},
		{"NOT consent_days = 5", []string{"consented", "gave it again"}},
	} {
		t.Run(tt.filter, func(t *testing.T) {
			audience, err := scheduler.ParseAudience(tt.filter, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			reach := scheduler.Reach{Audience: audience, Category: "offers"}
			var found, has []string
			for _, n := range a.found(t, 4, audienceNow, reach)[0] {
				found = append(found, names[n])
			}
			for n, p := range list {
				if reach.Has(p.subject(n), audienceNow) {
					has = append(has, names[n])
				}
			}
			if !slices.Equal(found, tt.want) || !slices.Equal(has, tt.want) {
				t.Errorf("the database has %q, scheduler %q, want %q", found, has, tt.want)
			}
		})
	}
}

// testExplained asks for people in the two ways: all of them by the database, as for a plan, and each of them by scheduler in
// the facts that are read for explain.
func testExplained(w *world) {
	people := w.people(4)
	l := w.launch("earlier", "offers", people[:3])
	flights := w.pass(l, people[:3])
	w.record(taken, flights...)
	now := time.Now()
	w.hear(w.status(flights[0], sender.Delivered, now.Add(-50*time.Hour)), w.status(flights[1], sender.Read, now.Add(-26*time.Hour)))
	_, err := w.store.Store(w.ctx, []sender.Inbox{{Replies: []sender.Reply{{Identity: policy.Identity{Phone: people[2].phone}, MessageID: "wamid.reply", At: now.Add(-73 * time.Hour)}}}})
	w.must(err)
	for filter, want := range map[string][]person{
		"sent_days = 0":                       people[:3],
		"delivered_days >= 1":                 people[:2],
		"delivered_days = 2":                  people[:1],
		"replied_days = 3":                    people[2:3],
		"consent_days = 1":                    people,
		"NOT sent_days > 0 OR tags:vip":       people[:3],
		`country = "IT" AND consent_days:*`:   people,
		`NOT (language = "it" OR tags:vip)`:   nil,
		"consent_days = 1 AND NOT tags:vip":   people,
		"delivered_days = 2 OR sent_days > 9": people[:1],
	} {
		audience, err := scheduler.ParseAudience(filter, nil, nil)
		w.must(err)
		reach := scheduler.Reach{Audience: audience, Category: "offers"}
		read := scheduler.Want{Categories: []string{"offers"}, SendsSince: now.AddDate(0, 0, -1), Activity: true, Audiences: []scheduler.Reach{reach}, Now: now.Add(time.Minute)}
		stretch, err := w.store.Range(w.ctx, policy.PersonID{}, 100, read)
		w.must(err)
		var planned, explained, wanted []policy.PersonID
		for _, s := range stretch.Subjects {
			planned = append(planned, s.Contact.PersonID)
		}
		for _, p := range people {
			subject, _, err := w.store.Subject(w.ctx, p.phone, read)
			w.must(err)
			if reach.Has(subject, read.Now) {
				explained = append(explained, p.id)
			}
		}
		for _, p := range want {
			wanted = append(wanted, p.id)
		}
		for _, ids := range [][]policy.PersonID{planned, explained, wanted} {
			slices.SortFunc(ids, func(a, b policy.PersonID) int { return bytes.Compare(a[:], b[:]) })
		}
		if !slices.Equal(planned, wanted) || !slices.Equal(explained, wanted) {
			w.Errorf("%s: a plan has %v, explain %v, want %v", filter, planned, explained, wanted)
		}
	}
}
