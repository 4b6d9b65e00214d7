package policy

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Question is what somebody who asked for a category is asked: only the yes to it is a consent (Meta, "Get opt-in for
// WhatsApp", read 2025-11-03: the person must be told that they opt in to messages of this business, by its name).
type Question struct {
	Language string // BCP 47
	Text     string
	Yes, No  string // the titles of its buttons, at most 20 characters
}

// questions are the built-in sentences; {category} and {business} are replaced.
func questions() []Question {
	return []Question{
		{"en", "Would you like to receive messages about “{category}” from {business} here on WhatsApp? It counts only once you answer Yes. You can stop them at any time by writing STOP.", "Yes", "No"},
		{"it", "Vuoi ricevere qui su WhatsApp messaggi su «{category}» da {business}? Vale solo se rispondi Sì. Puoi smettere in ogni momento scrivendo STOP.", "Sì", "No"},
		{"es", "¿Quieres recibir aquí en WhatsApp mensajes sobre «{category}» de {business}? Solo cuenta si respondes Sí. Puedes dejar de recibirlos cuando quieras escribiendo STOP.", "Sí", "No"},
		{"pt", "Quer receber aqui no WhatsApp mensagens sobre «{category}» de {business}? Só conta se responder Sim. Pode parar quando quiser escrevendo STOP.", "Sim", "Não"},
		{"fr", "Voulez-vous recevoir ici sur WhatsApp des messages sur «\u00a0{category}\u00a0» de {business}\u00a0? Cela ne compte que si vous répondez Oui. Vous pouvez arrêter à tout moment en écrivant STOP.", "Oui", "Non"},
		{"de", "Möchten Sie hier auf WhatsApp Nachrichten zu „{category}“ von {business} erhalten? Es gilt erst, wenn Sie mit Ja antworten. Mit STOP können Sie jederzeit beenden.", "Ja", "Nein"},
		{"nl", "Wilt u hier op WhatsApp berichten over ‘{category}’ van {business} ontvangen? Het telt pas als u Ja antwoordt. U kunt altijd stoppen door STOP te schrijven.", "Ja", "Nee"},
		{"pl", "Czy chcesz otrzymywać tu na WhatsAppie wiadomości „{category}” od {business}? Liczy się to dopiero, gdy odpowiesz Tak. W każdej chwili możesz zrezygnować, pisząc STOP.", "Tak", "Nie"},
		{"id", "Apakah Anda ingin menerima pesan tentang “{category}” dari {business} di WhatsApp ini? Ini hanya berlaku jika Anda menjawab Ya. Anda dapat berhenti kapan saja dengan menulis STOP.", "Ya", "Tidak"},
		{"ru", "Хотите получать здесь, в WhatsApp, сообщения «{category}» от {business}? Согласием считается только ответ «Да». Отказаться можно в любой момент, написав СТОП.", "Да", "Нет"},
		{"he", "האם ברצונך לקבל כאן ב-WhatsApp הודעות בנושא \"{category}\" מאת {business}? זה נחשב רק אם התשובה היא כן. אפשר להפסיק בכל עת במילה הסר.", "כן", "לא"},
		{"ar", "هل تود تلقي رسائل حول «{category}» من {business} هنا على واتساب؟ لا يُحتسب ذلك إلا إذا أجبت بنعم. يمكنك إيقافها في أي وقت بكتابة إيقاف.", "نعم", "لا"},
		{"hi", "क्या आप यहाँ WhatsApp पर {business} से “{category}” के संदेश पाना चाहते हैं? यह तभी माना जाएगा जब आप हाँ में उत्तर दें। STOP लिखकर आप इन्हें कभी भी रोक सकते हैं।", "हाँ", "नहीं"},
		{"tr", "{business} adlı işletmeden “{category}” konulu mesajları burada, WhatsApp'ta almak ister misiniz? Yalnızca Evet yanıtınız geçerli sayılır. STOP yazarak istediğiniz zaman durdurabilirsiniz.", "Evet", "Hayır"},
	}
}

// AskAbout returns the question about a category in the first of the languages for which there is a sentence, else in English. The
// category is named by its title in that language, else by another of its titles, else by its id.
func AskAbout(business string, category Category, languages ...string) Question {
	known := questions()
	at := max(0, Spoken(func(yield func(string) bool) {
		for _, q := range known {
			if !yield(q.Language) {
				return
			}
		}
	}, languages...))
	q := known[at]
	title := category.ID
	titles := slices.Sorted(maps.Keys(category.Title))
	if len(titles) > 0 {
		title = category.Title[titles[max(0, Spoken(slices.Values(titles), q.Language))]]
	}
	q.Text = strings.NewReplacer("{business}", business, "{category}", title).Replace(q.Text)
	return q
}

// Spoken is the place, among the tags of what is there, of the first wanted language: the tag itself, else one of the same
// language. It is -1 when none is there.
func Spoken(there func(yield func(string) bool), wanted ...string) int {
	for _, want := range wanted {
		if want == "" {
			continue
		}
		exact, near, i := -1, -1, 0
		for tag := range there {
			switch {
			case exact < 0 && strings.EqualFold(tag, want):
				exact = i
			case near < 0 && strings.EqualFold(mainLanguage(tag), mainLanguage(want)):
				near = i
			}
			i++
		}
		if exact >= 0 || near >= 0 {
			return cmp.Or(exact+1, near+1) - 1
		}
	}
	return -1
}

// mainLanguage is a tag's language without script and region.
func mainLanguage(tag string) string {
	tag, _, _ = strings.Cut(tag, "-")
	tag, _, _ = strings.Cut(tag, "_")
	return tag
}

// questionButton begins the payload of the buttons of every question.
const questionButton = "permesso:join:"

// QuestionPayload is the payload of the yes, or the no, of a question, which is known by an id that tells nothing.
func QuestionPayload(id string, yes bool) string {
	if yes {
		return questionButton + "v1:" + id + ":yes"
	}
	return questionButton + "v1:" + id + ":no"
}

// ParseQuestionPayload reads a button's payload; ok is false for any other, and for one that cannot be read to its end.
func ParseQuestionPayload(payload string) (id string, yes, ok bool) {
	rest, ours := strings.CutPrefix(payload, questionButton+"v1:")
	if !ours {
		return "", false, false
	}
	id, word, _ := strings.Cut(rest, ":")
	return id, word == "yes", id != "" && (word == "yes" || word == "no")
}
