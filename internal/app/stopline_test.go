package app

import (
	"testing"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/templates"
)

func TestSaysStop(t *testing.T) {
	for name, tt := range map[string]struct {
		template templates.Template
		want     bool
	}{
		"a line in the body":        {templates.Template{Body: templates.Text{Text: "Ciao {{1}}, libri al 20%.\nRispondi STOP per non riceverne più."}}, true},
		"the footer":                {templates.Template{Body: templates.Text{Text: "Hello"}, Footer: "Reply STOP to unsubscribe"}, true},
		"a button's label":          {templates.Template{Body: templates.Text{Text: "Hello"}, Buttons: []templates.Button{{Type: "QUICK_REPLY", Text: "Stop"}}}, true},
		"a link that is called so":  {templates.Template{Body: templates.Text{Text: "Hello"}, Buttons: []templates.Button{{Type: "URL", Text: "Stop"}}}, false},
		"nothing":                   {templates.Template{Body: templates.Text{Text: "Ciao {{1}}, libri al 20% fino al {{2}}."}, Footer: "Libreria Aurora"}, false},
		"a longer word that has it": {templates.Template{Body: templates.Text{Text: "Our nonstoppable offers"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := saysStop(tt.template, policy.Keywords{}); got != tt.want {
				t.Errorf("%t, want %t", got, tt.want)
			}
		})
	}
}
