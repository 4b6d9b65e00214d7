package app

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// demoFiles are the three files of a business's people, as CSV.
type demoFiles struct{ contacts, consents, stops string }

const (
	demoPeople = 640
	// demoSeed makes the same people every time: a demo that differs from its description helps nobody.
	demoSeed = 2026
)

var (
	demoNames = []string{
		"Giulia", "Marco", "Francesca", "Luca", "Chiara", "Matteo", "Sara", "Alessandro", "Elena", "Davide", "Martina", "Andrea", "Valentina",
		"Simone", "Federica", "Lorenzo", "Ilaria", "Riccardo", "Anna", "Paolo", "Beatrice", "Tommaso", "Laura", "Nicola", "Caterina",
	}
	demoSurnames = []string{
		"Rossi", "Ferrari", "Russo", "Bianchi", "Romano", "Gallo", "Costa", "Fontana", "Conti", "Esposito", "Ricci", "Bruno", "De Luca",
		"Moretti", "Marino", "Greco", "Barbieri", "Lombardi", "Giordano", "Rizzo",
	}
	// demoOutcomes are endings of phone numbers by which the sandbox shows what else can become of a message.
	demoOutcomes = []string{"131026", "131026", "131049", "131050", "990001", "990011", "990012", "990013", "131000"}
)

// inventPeople writes a bookshop's customers: most consented, some never did, took it back, let it lapse, or asked to be left alone.
func inventPeople(now time.Time) demoFiles {
	r := rand.New(rand.NewPCG(demoSeed, demoSeed))
	var contacts, consents, stops strings.Builder
	contacts.WriteString("phone,name,language,tags,coupon,points\n")
	consents.WriteString("phone,category,action,at,source,wording,evidence\n")
	stops.WriteString("phone,reason,at,source,scope\n")
	for i := range demoPeople {
		number, language := demoPhone(r, i)
		name := demoNames[r.IntN(len(demoNames))] + " " + demoSurnames[r.IntN(len(demoSurnames))]
		tags := ""
		if i%25 == 3 {
			tags = "club"
		}
		coupon := fmt.Sprintf("AURORA%03d", i)
		if i%90 == 40 {
			coupon = "" // the campaign has no default for it
		}
		fmt.Fprintf(&contacts, "%s,%s,%s,%s,%s,%d\n", number, name, language, tags, coupon, r.IntN(300))
		writeConsents(&consents, r, i, number, now)
		if i%45 == 7 {
			fmt.Fprintf(&stops, "%s,asked in the shop,%s,till notes,all\n", number, day(now, 20+r.IntN(200)))
		}
	}
	return demoFiles{contacts.String(), consents.String(), stops.String()}
}

func demoPhone(r *rand.Rand, i int) (number, language string) {
	switch {
	case i%80 == 20:
		return fmt.Sprintf("+1212555%04d", 1000+i), "en"
	case i%30 == 11:
		return fmt.Sprintf("+4915123%06d", 400000+i), "de"
	case i%71 == 5 && i/71 < len(demoOutcomes):
		return "+39347" + fmt.Sprint(i/71+1) + demoOutcomes[i/71], "it"
	}
	return fmt.Sprintf("+39348%07d", 1000000+i*137), []string{"it", "it", "it", "it-IT", "en", ""}[r.IntN(6)]
}

func writeConsents(w *strings.Builder, r *rand.Rand, i int, number string, now time.Time) {
	const wording = "Sì, voglio ricevere le offerte di Libreria Aurora su WhatsApp"
	if i%16 == 9 {
		return // never asked, never said yes
	}
	source, evidence := "web_form", fmt.Sprintf("form-%05d", 10000+i)
	if i%4 == 1 {
		source, evidence = "in_store", fmt.Sprintf("card-%04d", i)
	}
	age := 5 + r.IntN(500)
	if i%50 == 17 {
		age = 740 + r.IntN(100)
	}
	fmt.Fprintf(w, "%s,offers,granted,%s,%s,%q,%s\n", number, day(now, age), source, wording, evidence)
	if i%28 == 13 {
		fmt.Fprintf(w, "%s,offers,revoked,%s,email,,mail-%d\n", number, day(now, 1+r.IntN(4)), i)
	}
}

func day(now time.Time, ago int) string { return now.AddDate(0, 0, -ago).UTC().Format(time.RFC3339) }
