package webhook_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/webhook"
	"github.com/permesso/permesso/policy"
)

// TestJoinCodes: a code reaches the store from a text that asks for nothing else, where there are opt-in pages.
func TestJoinCodes(t *testing.T) {
	categories := map[string]policy.Category{"offers": {ID: "offers", Kind: policy.Marketing}}
	with := everything(t)
	with.Joins = categories
	now := strconv.FormatInt(today.Unix(), 10)
	for name, tt := range map[string]struct {
		wants   webhook.Wants
		message string
		want    string
	}{
		"as it was shown":        {with, `"timestamp":"NOW","type":"text","text":{"body":"JOIN offers K7QF-2MXD"}`, "K7QF-2MXD"},
		"in small letters":       {with, `"timestamp":"NOW","type":"text","text":{"body":"k7qf-2mxd grazie"}`, "K7QF-2MXD"},
		"no pages":               {everything(t), `"timestamp":"NOW","type":"text","text":{"body":"JOIN offers K7QF-2MXD"}`, ""},
		"no time":                {with, `"type":"text","text":{"body":"JOIN offers K7QF-2MXD"}`, ""},
		"from the future":        {with, `"timestamp":"9999999999","type":"text","text":{"body":"JOIN offers K7QF-2MXD"}`, ""},
		"written to a group":     {with, `"timestamp":"NOW","type":"text","group_id":"g","text":{"body":"JOIN offers K7QF-2MXD"}`, ""},
		"a stop":                 {with, `"timestamp":"NOW","type":"text","text":{"body":"STOP"}`, ""},
		"no code":                {with, `"timestamp":"NOW","type":"text","text":{"body":"JOIN offers"}`, ""},
		"in a picture's words":   {with, `"timestamp":"NOW","type":"image","image":{"id":"1","caption":"K7QF-2MXD"}`, ""},
		"a text with more to it": {with, `"timestamp":"NOW","type":"text","text":{"body":"Buongiorno, ecco il codice: K7QF-2MXD"}`, "K7QF-2MXD"},
	} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",
				"metadata":{"display_phone_number":"390698987654","phone_number_id":"111222333444"},"messages":[{"from":"393471234567","id":"wamid.code",%s}]}}]}]}`,
				strings.ReplaceAll(tt.message, "NOW", now))
			box := receiveWanting(t, tt.wants, []byte(body))
			if tt.want == "" {
				if len(box.Codes) > 0 {
					t.Errorf("a code was read: %+v", box.Codes)
				}
				return
			}
			if len(box.Codes) != 1 || box.Codes[0].Code != tt.want || box.Codes[0].Identity.Phone != "+393471234567" || box.Codes[0].MessageID != "wamid.code" || len(box.Codes[0].Categories) != 1 {
				t.Fatalf("what was read is %+v", box.Codes)
			}
			if len(box.Replies) != 1 || box.Replies[0].Forward == nil || len(box.Wishes)+len(box.Acts) > 0 {
				t.Errorf("it is a reply like any other, and asks for nothing else: %+v", box)
			}
		})
	}
}
