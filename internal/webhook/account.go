package webhook

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/sender"
)

// account reads what Meta does to the account, as far as it stops sending or lets it go on (Meta, "account_update", read
// 2026-09-11, graph-api §4.8). The body is always kept: there is more in it.
func (r *reading) account(v *value, at time.Time) {
	r.odd = true
	news := func(n sender.AccountNews) {
		n.At = at
		r.box.Account = append(r.box.Account, n)
	}
	switch event := upper(v.Event); event {
	case "ACCOUNT_VIOLATION":
		news(sender.AccountNews{Why: "Meta reports a violation of its policies by the account" + ofType(v.Violation.Type) + ": WhatsApp Manager tells which message"})
	case "ACCOUNT_DELETED":
		news(sender.AccountNews{Lost: true, Why: "Meta says that the account was deleted"})
	case "ACCOUNT_RECONNECTED":
		news(sender.AccountNews{Lifted: true, Why: "Meta says that the account is connected again"})
	case "DISABLED_UPDATE":
		switch upper(v.Ban.State) {
		case "REINSTATE":
			news(sender.AccountNews{Lifted: true, Why: "Meta reinstated the account"})
		case "SCHEDULE_FOR_DISABLE": // it may send until then
		default:
			news(sender.AccountNews{Why: "Meta disabled the account: read why in WhatsApp Manager and appeal there"})
		}
	case "ACCOUNT_RESTRICTION":
		for _, x := range v.Restrictions {
			if n, stops := restricted(x, at); stops {
				news(n)
			}
		}
		if len(v.Restrictions) == 0 {
			news(sender.AccountNews{Why: "Meta restricts the account, and does not say in what"})
		}
	}
}

// restricted is the news of a restriction; stops is false for one that does not stop templates.
func restricted(x restriction, at time.Time) (n sender.AccountNews, stops bool) {
	switch upper(x.Type) {
	case "RESTRICTED_BIZ_INITIATED_MESSAGING":
		n.Why = "Meta lets the account start no conversations: read why in WhatsApp Manager"
	case "RESTRICTED_UTILITY_TEMPLATES":
		n.Kind, n.Why = policy.Utility, "Meta lets the account send no utility templates: read why in WhatsApp Manager"
	default:
		return n, false
	}
	// An end before the restriction, or in another age, says nothing of when it ends.
	if seconds, err := strconv.ParseInt(string(x.Expiration), 10, 64); err == nil && seconds > at.Unix() && seconds < at.AddDate(10, 0, 0).Unix() {
		n.Until = time.Unix(seconds, 0).UTC()
	}
	return n, true
}

// capability reads what Meta lets the portfolio do now (Meta, "business_capability_update" and "phone_number_quality_update", read
// 2026-09-11, graph-api §4.8). The body is kept: there is more in it.
func (r *reading) capability(v *value) {
	r.odd = true
	if people, known := sender.ParseLimit(string(cmp.Or(v.PeopleADay, v.CurrentLimit))); known {
		r.box.Limit = &people
	}
}

func upper(w word) string { return strings.ToUpper(strings.TrimSpace(string(w))) }

// ofType names a kind of violation, "" when Meta did not.
func ofType(w word) string {
	if w == "" {
		return ""
	}
	return " (" + upper(w) + ")"
}
